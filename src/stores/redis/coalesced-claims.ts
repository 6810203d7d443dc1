import { duplicateClaims } from "../../idempotency/port/duplicate-claims.js";
import type { ClaimRequest, ClaimResult } from "../../idempotency/port/store.js";

/** Lets a claim follow one of the same call that waits to be sent, and get its result. */
export interface CoalescedClaims {
  /**
   * Follows a claim of the same name and request that has not been sent yet;
   * else asks, and leads those that come before it is sent. One that has been
   * sent leads nobody: what it finds out may be older than the next caller.
   */
  join(
    name: string,
    request: ClaimRequest,
    ask: (onSent: () => void) => Promise<ClaimResult>,
  ): Promise<ClaimResult>;
}

interface Leader {
  readonly request: ClaimRequest;
  readonly result: Promise<ClaimResult>;
}

export function createCoalescedClaims(): CoalescedClaims {
  const leaders = new Map<string, Leader>();

  return {
    join(name, request, ask) {
      const waiting = leaders.get(name);
      if (waiting !== undefined && duplicateClaims.isSame(waiting.request, request)) {
        return waiting.result.then((result) => duplicateClaims.follow(result, request));
      }
      const result = ask(() => {
        if (leaders.get(name) === leader) {
          leaders.delete(name);
        }
      });
      const leader = { request, result };
      leaders.set(name, leader);
      return result;
    },
  };
}
