import { recoveryBackoffMs } from "../../idempotency/port/store.js";
import { type Check, checkEach, recordText } from "../check.js";
import type { AuditedRecord, Facts } from "../facts.js";

/** A held key is an operator's to end, and is listed; it only has to say why. */
export const wedgedKeys: Check = {
  id: "I15",
  title: "no key is wedged: each ends in an answer or is parked with its reason",
  needsCalls: false,
  check: (facts) =>
    checkEach(facts.records, recordText, function* (record) {
      const { state, onLostOwner, leaseUntil, unknownReason } = record;
      const isOverdue = facts.now.getTime() - leaseUntil.getTime() > takeoverBoundMs(facts, record);
      if (state === "executing" && onLostOwner === "rerun" && isOverdue) {
        yield `lost its owner at ${leaseUntil.toISOString()}, and nobody has taken over`;
      }
      if (state === "held" && unknownReason === undefined) {
        yield "is held without a reason";
      }
    }),
};

/** Returns the longest time after its lease for which a record may wait for its next owner: recovery waits longer with those that have had many. */
function takeoverBoundMs({ boundMs }: Facts, { attempts }: AuditedRecord): number {
  return boundMs + recoveryBackoffMs(attempts);
}
