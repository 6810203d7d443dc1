/** The facts about a claim past its lease that decide when it is taken over. */
export interface PastLease {
  readonly tenant: string;
  readonly attempts: number;
  readonly leaseUntilMs: number;
}

/** A claim with more attempts than this goes on failing: something is wrong with the call itself. */
export const FEW_ATTEMPTS = 2;

/**
 * The order in which claims past their lease are taken over. All tenants have
 * turns, however many claims one of them has. Three kinds of its claims have
 * turns with each other: the newest of those with few attempts, the oldest of
 * these, and the oldest of those that go on failing. So neither what never ends
 * nor what came first holds up the rest.
 *
 * Of one tenant with the claims a (oldest), b and c (newest) with few attempts,
 * and x that goes on failing: c, a, x, b.
 */
export function inTurns<Claim extends PastLease>(waiting: readonly Claim[]): readonly Claim[] {
  const oldestFirst = waiting.toSorted((a, b) => a.leaseUntilMs - b.leaseUntilMs);
  const kinds = new Map<string, Claim[]>();
  for (const claim of oldestFirst) {
    const kind = JSON.stringify([claim.tenant, claim.attempts > FEW_ATTEMPTS]);
    const claims = kinds.get(kind);
    if (claims === undefined) {
      kinds.set(kind, [claim]);
    } else {
      claims.push(claim);
    }
  }
  return [...kinds.values()]
    .flatMap((claims) => claims.map((claim, index) => ({ claim, turn: turnOf(claims, index) })))
    .sort((a, b) => a.turn - b.turn || a.claim.leaseUntilMs - b.claim.leaseUntilMs)
    .map(({ claim }) => claim);
}

function turnOf(claims: readonly PastLease[], index: number): number {
  const fromOldest = index + 1;
  const fromNewest = claims.length - index;
  return (claims[index]?.attempts ?? 0) > FEW_ATTEMPTS
    ? 3 * fromOldest
    : Math.min(3 * fromNewest - 2, 3 * fromOldest - 1);
}
