import { ConnectError } from "@connectrpc/connect";
import { Code } from "./code.js";
import { type ErrorInfo, ErrorInfoSchema } from "./gen/google/rpc/error_details_pb.js";
import { ERROR_DOMAIN, type Next, STATUS_DETAILS_TRAILER } from "./names.js";
import type { ReadableEntries } from "./replayed.js";
import { detail, detailsIn } from "./status-details.js";

/** They are about the caller: with other credentials the same call can still succeed. */
const ABOUT_THE_CALLER: ReadonlySet<unknown> = new Set([
  Code.UNAUTHENTICATED,
  Code.PERMISSION_DENIED,
]);

const RETRY: Next = "retry_same_key";

/** Also of a key that is held: once an operator has found out, the same key has the answer. */
const UNKNOWN = "OUTCOME_UNKNOWN";

/**
 * Returns true if the service itself says, by an error, that no retry of the call
 * helps. Returns false for a connection that broke, a deadline that passed, an
 * outcome that is not known, credentials that were refused, and an error without
 * `ErrorInfo` of this domain. Reads errors of Connect and of grpc-js.
 */
export function isDefinite(error: unknown): boolean {
  const info = errorInfoOf(error);
  return (
    info?.domain === ERROR_DOMAIN &&
    info.metadata.next !== RETRY &&
    info.reason !== UNKNOWN &&
    !(error instanceof Error && "code" in error && ABOUT_THE_CALLER.has(error.code))
  );
}

/**
 * Returns what the service says of an error: its `reason`, and in its `metadata`
 * under `next` what to do, such as `retry_same_key`. Reads errors of Connect and of
 * grpc-js; undefined for any other.
 */
export function errorInfoOf(error: unknown): ErrorInfo | undefined {
  if (error instanceof ConnectError) {
    return error.findDetails(ErrorInfoSchema)[0];
  }
  if (error instanceof Error && "metadata" in error && isReadable(error.metadata)) {
    const trailer = [error.metadata.get(STATUS_DETAILS_TRAILER)].flat()[0];
    return detail(detailsIn(trailer), ErrorInfoSchema);
  }
  return undefined;
}

function isReadable(value: unknown): value is ReadableEntries {
  return (
    typeof value === "object" && value !== null && "get" in value && typeof value.get === "function"
  );
}
