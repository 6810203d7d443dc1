import { Code } from "./code.js";
import { type ErrorDescription, errorOutcome, PUSHBACK_TRAILER } from "./errors.js";
import type { MetadataEntry, Outcome } from "./outcome.js";

/** Marks an answer that was given before: in the headers of an OK, in the trailers of an error. */
export const REPLAYED_ENTRY: MetadataEntry = ["idempotency-replayed", "true"];

/** What a transport sends: an outcome with all its metadata in place. */
export interface Reply extends Outcome {
  readonly replayed: boolean;
}

/** The answer of the attempt that made it. */
export function firstReply(outcome: Outcome): Reply {
  return { ...stopRetries(outcome), replayed: false };
}

/** The same answer, given again. */
export function replayedReply(outcome: Outcome): Reply {
  const stopped = stopRetries(outcome);
  return stopped.code === Code.OK
    ? { ...stopped, headers: [...stopped.headers, REPLAYED_ENTRY], replayed: true }
    : { ...stopped, trailers: [...stopped.trailers, REPLAYED_ENTRY], replayed: true };
}

export function refusedReply(error: ErrorDescription): Reply {
  return firstReply(errorOutcome(error));
}

/** An error that names no delay is not worth retrying, and native gRPC retries must be told so. */
function stopRetries(outcome: Outcome): Outcome {
  if (outcome.code === Code.OK || outcome.trailers.some(([name]) => name === PUSHBACK_TRAILER)) {
    return outcome;
  }
  return { ...outcome, trailers: [...outcome.trailers, [PUSHBACK_TRAILER, "-1"]] };
}
