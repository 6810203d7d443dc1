import { recoveryBackoffMs } from "../../idempotency/store.js";
import { type Check, checkEach, keyText } from "../check.js";
import type { AuditedRecord } from "../facts.js";

/** A held key is an operator's to end, and is listed; it only has to say why. */
export const wedgedKeys: Check = {
  id: "I15",
  title: "no key is wedged: each ends in an answer or is parked with its reason",
  needsCalls: false,
  check: ({ records, now, boundMs }) =>
    checkEach(records, recordText, function* (record) {
      const { state, onLostOwner, leaseUntil, attempts, unknownReason } = record;
      const waitsSinceMs =
        now.getTime() - leaseUntil.getTime() - recoveryBackoffMs(attempts) - boundMs;
      if (state === "executing" && onLostOwner === "rerun" && waitsSinceMs > 0) {
        yield `lost its owner at ${leaseUntil.toISOString()}, and nobody has taken over`;
      }
      if (state === "held" && unknownReason === undefined) {
        yield "is held without a reason";
      }
    }),
};

function recordText({ tenant, scope, scopeHash }: AuditedRecord): string {
  return scope === undefined
    ? `tombstone ${Buffer.from(scopeHash).toString("hex")} of ${tenant}`
    : keyText(scope);
}
