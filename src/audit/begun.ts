import type { Operation } from "../payments/operation.js";
import type { AuditedRecord, Facts } from "./facts.js";
import { type IndexedFacts, nameOf } from "./index-facts.js";

/** Returns true if the operation has begun, and has no end yet. */
export function isBegun({ state }: Operation): boolean {
  return state === "pending" || state === "unknown";
}

/** Returns true if nothing may be sent for the operation any more. */
export function isPastWindow(
  { now, keyWindowMs }: Pick<Facts, "now" | "keyWindowMs">,
  { beginTime }: Operation,
): boolean {
  return beginTime.getTime() + keyWindowMs <= now.getTime();
}

/** The record of the operation's key; none where there is none, or only a tombstone. */
export function recordOf(
  { keyByOperation }: IndexedFacts,
  { tenant, id }: Operation,
): AuditedRecord | undefined {
  return keyByOperation.get(nameOf(tenant, id))?.record;
}
