import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '@temporalio/client';

const service = 'temporal.api.workflowservice.v1.WorkflowService';
const serving = 1; // grpc.health.v1.HealthCheckResponse.ServingStatus
const pauseMs = 20;
const callMs = 1_000;

/**
 * Waits until a Temporal server serves its workflow API.
 * @param address host and port, without TLS
 * @param signal gives up
 * @returns whether it serves
 */
export const untilServing = async (address: string, signal: AbortSignal): Promise<boolean> => {
  const connection = Connection.lazy({
    address,
    interceptors: [], // by default one that repeats refused calls, ever more slowly
    // A server that is starting refuses for a while: the default is to come again after a second.
    channelArgs: {
      'grpc.initial_reconnect_backoff_ms': pauseMs,
      'grpc.max_reconnect_backoff_ms': 5 * pauseMs,
    },
  });
  try {
    while (!signal.aborted) {
      try {
        const { status }: { status: number } = await connection.withDeadline(
          Date.now() + callMs,
          () => connection.healthService.check({ service }),
        );
        if (status === serving) return true;
      } catch {
        // It does not answer yet.
      }
      await sleep(pauseMs);
    }
    return false;
  } finally {
    await connection.close();
  }
};
