import { PUSHBACK_TRAILER } from "../../idempotency/answers/errors.js";
import type { Outcome } from "../../idempotency/port/outcome.js";
import { type Check, checkEach, keyText } from "../check.js";
import { type ClientCall, entryText, meaningOf } from "../client-call.js";
import { scopeName } from "../index-facts.js";

/**
 * A replay may come from a copy in Redis. Whatever became of Redis, it must
 * equal what the store of record holds; transports add entries of their own.
 */
export const copiedAnswers: Check = {
  id: "I10",
  title: "a replay equals the stored answer, wherever it comes from",
  needsCalls: true,
  check: ({ calls = [], keyByScope }) =>
    checkEach(
      calls.filter((call) => call.isReplayed && meaningOf(call) === "answer"),
      ({ scope }) => keyText(scope),
      function* (call) {
        const outcome = keyByScope.get(scopeName(call.scope))?.record.outcome;
        if (outcome !== undefined && !isReplayOf(call, outcome)) {
          yield "was replayed otherwise than it is stored";
        }
      },
    ),
};

function isReplayOf(call: ClientCall, outcome: Outcome): boolean {
  const headers = new Set(call.headers.map(entryText));
  const trailers = new Set(call.trailers.map(entryText));
  return (
    call.code === outcome.code &&
    call.message === outcome.message &&
    Buffer.compare(call.body, outcome.body) === 0 &&
    outcome.headers.every((entry) => headers.has(entryText(entry))) &&
    // A replayed error tells native retries to stop, whatever was stored.
    outcome.trailers.every(
      (entry) => entry[0] === PUSHBACK_TRAILER || trailers.has(entryText(entry)),
    )
  );
}
