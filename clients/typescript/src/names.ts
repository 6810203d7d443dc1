/** The entry of the metadata, or the HTTP header, that carries the key. */
export const KEY_METADATA = "idempotency-key";

/** The request's field that may carry the key where the option names none. */
export const KEY_FIELD = "idempotency_key";

/** Marks an answer that was given before: in the headers of an OK, in the trailers of an error. */
export const REPLAYED_ENTRY: readonly [name: string, value: string] = [
  "idempotency-replayed",
  "true",
];

/** The `domain` of every `google.rpc.ErrorInfo` that is sent. */
export const ERROR_DOMAIN = "payonce";

/** The trailer with the encoded `google.rpc.Status`. */
export const STATUS_DETAILS_TRAILER = "grpc-status-details-bin";

/**
 * The trailer that native gRPC retries obey: a delay in milliseconds, or -1 to
 * stop (gRFC A6). No core client obeys `RetryInfo`, so both are sent.
 */
export const PUSHBACK_TRAILER = "grpc-retry-pushback-ms";

/** The advice to a caller about an error: `metadata.next` of its `ErrorInfo`. */
export type Next = "retry_same_key" | "fix_request" | "look_up";
