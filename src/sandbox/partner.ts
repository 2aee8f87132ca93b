import type { IncomingHttpHeaders } from 'node:http';
import type { JsonObject } from '../event.ts';
import type { NewArrival } from './arrivals.ts';

/** A request that a played partner got. */
export interface PartnerCall {
  path: string;
  query: URLSearchParams;
  headers: IncomingHttpHeaders;
  body: string;
}

/** What it answers, and what it found. */
export interface PartnerAnswer {
  status: number;
  /** Sent as JSON; absent: no body. */
  body?: unknown;
  arrivals: NewArrival[];
}

/** What every played partner is given. */
export interface PartnerDeps {
  /** How many events it knows again. */
  mostSeen: number;
  now: () => number;
}

export type PlayedPartner = (call: PartnerCall) => PartnerAnswer;

/**
 * Knows keys again.
 * @param most how many
 * @returns whether a key came before; it is remembered
 */
export const createSeen = (most: number): ((key: string) => boolean) => {
  const seen = new Set<string>();
  return (key) => {
    if (seen.has(key)) return true;
    seen.add(key);
    for (const oldest of seen) {
      if (seen.size <= most) break;
      seen.delete(oldest);
    }
    return false;
  };
};

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A body as JSON; undefined where it is none. */
export const readJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** Those of the fields that are texts or numbers, as texts. */
export const textsOf = (source: JsonObject, fields: readonly string[]): Record<string, string> =>
  Object.fromEntries(
    fields.flatMap((field) => {
      const value = source[field];
      return typeof value === 'string' || typeof value === 'number' ? [[field, `${value}`]] : [];
    }),
  );
