import type { ClaimRequest, ClaimResult } from "./store.js";

/** A claim that comes while another of the same call waits to be sent follows that one. */
export const duplicateClaims = {
  /**
   * Returns true if two calls of one scope ask for the same in every way that a record
   * can tell. Whether an owner is the owner only its own claim id can tell.
   */
  isSame(
    { fingerprint: a }: ClaimRequest,
    { fingerprint: b, mayBeOwner = false }: ClaimRequest,
  ): boolean {
    return (
      !mayBeOwner &&
      a.version === b.version &&
      Buffer.compare(a.raw, b.raw) === 0 &&
      Buffer.compare(a.canonical, b.canonical) === 0
    );
  },

  /** The result of the claim that follows: there is one owner, and that is the other. */
  follow(result: ClaimResult, { leaseMs }: ClaimRequest): ClaimResult {
    return result.kind === "claimed"
      ? { kind: "in_progress", elapsedMs: 0, leaseRemainingMs: leaseMs }
      : result;
  },
};
