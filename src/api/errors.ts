/**
 * Every way in which the API says no. A client is told the code and, in words, what to change.
 * 4xx bodies carry both as strings because older Python SDKs retry a permanent error without them.
 */
export const apiErrors = {
  no_write_key: {
    status: 401,
    message: 'Send the write key by Basic authentication or as the field writeKey',
  },
  invalid_write_key: { status: 401, message: 'No source has this write key' },
  invalid_json: { status: 400, message: 'The body is not JSON' },
  invalid_body: { status: 400, message: 'The body must be a JSON object' },
  invalid_utf8: { status: 400, message: 'The body is not UTF-8 text' },
  invalid_compression: {
    status: 400,
    message: 'The body is not what its Content-Encoding says, or it is cut short',
  },
  unsupported_encoding: {
    status: 415,
    message: 'The Content-Encoding must be gzip, x-gzip, deflate, br or identity',
  },
  // 400 and not 413, as Segment answers: clients know it as an error that is permanent.
  request_too_large: { status: 400, message: 'The body is too large' },
  request_aborted: { status: 400, message: 'The connection ended before the body did' },
  request_timeout: { status: 408, message: 'The request took too long to arrive' },
  bad_request: { status: 400, message: 'The request cannot be read as HTTP' },
  headers_too_large: { status: 431, message: "The request's headers are too large" },
  empty_batch: { status: 400, message: 'batch: must hold at least one event' },
  too_many_events: { status: 400, message: 'batch: holds too many events' },
  invalid_event: { status: 400, message: 'The event must be a JSON object' },
  no_user_anon_id: { status: 400, message: 'The event needs a userId or an anonymousId' },
  event_too_large: { status: 400, message: 'The event is too large' },
  event_too_deep: { status: 400, message: 'The event is nested too deeply' },
  not_found: { status: 404, message: 'There is nothing at this path' },
  unknown_source: { status: 404, message: 'No source has this write key' },
  operators_only: { status: 403, message: 'Operators alone may use this' },
  invalid_payloads: {
    status: 400,
    message: 'The body must be { payloads: [{ metadata, data }] }, with bytes in base64',
  },
  decoded_too_large: {
    status: 422,
    message: 'The payloads are more than 64 MiB once they are decoded; bring fewer at a time',
  },
  undecodable: { status: 422, message: 'The payloads cannot be decoded' },
  method_not_allowed: { status: 405, message: 'The path does not take this method' },
  no_operator_token: {
    status: 401,
    message: "Send the operator's token as Authorization: Bearer",
  },
  invalid_query: { status: 400, message: 'The query does not say what is asked for' },
  event_not_found: { status: 404, message: 'No batch that was searched holds the event' },
  too_many_searches: { status: 429, message: 'Other searches run; ask again once they have ended' },
  cannot_open: {
    status: 500,
    message: 'What Temporal holds is encrypted with a key that is not configured here',
  },
  temporal_unavailable: { status: 503, message: 'Temporal does not answer' },
  rate_limited: { status: 429, message: 'The source sends more than its share' },
  overloaded: { status: 503, message: 'Events cannot be taken at the moment' },
  internal: { status: 500, message: 'Something went wrong here; the log has the details' },
} as const satisfies Record<string, { status: number; message: string }>;

export type ErrorCode = keyof typeof apiErrors;

/** Why a request, or one event of it, is not taken. */
export interface Refusal {
  code: ErrorCode;
  message: string;
}

/** A refused event with its place in the posted batch. */
export interface RejectedEvent extends Refusal {
  index: number;
}

export const refusal = (code: ErrorCode, message: string = apiErrors[code].message): Refusal => ({
  code,
  message,
});

/** Ends the request with the code's status; nothing of it was kept. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly code: ErrorCode;
  /** Events refused one by one, where that is why the request is. */
  readonly rejected: readonly RejectedEvent[] | undefined;

  constructor(code: ErrorCode, message?: string, rejected?: readonly RejectedEvent[]) {
    super(message ?? apiErrors[code].message);
    this.code = code;
    this.rejected = rejected;
  }
}
