import { REPLAYED_ENTRY } from "@payonce/client/internal";
import type { Outcome } from "../port/outcome.js";
import { Code } from "./code.js";
import { type ErrorDescription, errorOutcome, PUSHBACK_TRAILER } from "./errors.js";

export { REPLAYED_ENTRY };

/** A reply as a transport sends it: an outcome with all its metadata in place. */
export interface Reply extends Outcome {
  readonly replayed: boolean;
}

/** An answer that is kept nowhere. It says itself whether a retry can help. */
export function firstReply(outcome: Outcome): Reply {
  const hasPushback = outcome.trailers.some(([name]) => name === PUSHBACK_TRAILER);
  return { ...(hasPushback ? outcome : stopRetries(outcome)), replayed: false };
}

/** The answer for good, of the attempt that made it. */
export function finalReply(outcome: Outcome): Reply {
  return { ...stopRetries(outcome), replayed: false };
}

/** The answer for good, given again. */
export function replayedReply(outcome: Outcome): Reply {
  const { code, message, headers, body, trailers } = stopRetries(outcome);
  const marked = (entries: Outcome["headers"]) => [...entries, REPLAYED_ENTRY];
  return code === Code.OK
    ? { code, message, headers: marked(headers), body, trailers, replayed: true }
    : { code, message, headers, body, trailers: marked(trailers), replayed: true };
}

export function refusedReply(error: ErrorDescription): Reply {
  return firstReply(errorOutcome(error));
}

/** An error that is not worth retrying tells native gRPC retries so, whatever its handler told them. */
function stopRetries(outcome: Outcome): Outcome {
  if (outcome.code === Code.OK) {
    return outcome;
  }
  const others = outcome.trailers.filter(([name]) => name !== PUSHBACK_TRAILER);
  return { ...outcome, trailers: [...others, [PUSHBACK_TRAILER, "-1"]] };
}
