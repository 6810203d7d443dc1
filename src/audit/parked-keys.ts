import { keyText } from "./check.js";
import type { Facts } from "./facts.js";

/** A key that waits for an operator. */
export interface Parked {
  readonly subject: string;
  readonly reason: string;
}

/** Includes the keys whose owner is gone and whose call must not be repeated. */
export function parkedKeys({ records, now }: Facts): readonly Parked[] {
  return records.flatMap(({ scope, state, onLostOwner, leaseUntil, unknownReason }) => {
    const isLost = state === "executing" && onLostOwner === "hold" && leaseUntil < now;
    return scope !== undefined && (state === "held" || isLost)
      ? [{ subject: keyText(scope), reason: unknownReason ?? "its owner is gone" }]
      : [];
  });
}
