import { isGrpcServiceError } from '@temporalio/client';

/** What Temporal said to a request that it did not do. */
export interface Refusal {
  /** gRPC's. */
  code: number;
  words: string;
}

/** Temporal's refusal in an error, which the SDK may have put into one of its own. */
export const refusalIn = (error: unknown): Refusal | undefined => {
  const { cause } = error as { cause?: unknown };
  const refusal = [error, cause].find(isGrpcServiceError);
  return refusal && { code: refusal.code, words: refusal.message };
};
