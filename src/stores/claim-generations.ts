import type { Claim, IdempotencyStore } from "../idempotency/port/store.js";

/** A store that remembers as which generation of the database each claim was asked for. */
export interface ClaimGenerations<Transaction> {
  readonly store: IdempotencyStore<Transaction>;
  /**
   * Returns true if the database is still the one that a claim was asked of. If not, its
   * answer may be in the old one alone, on a connection that has outlived a
   * failover; then no copy of it may be found under the new one's name.
   */
  isCurrent(claim: Claim): boolean;
}

export function rememberingGenerations<Transaction>(
  store: IdempotencyStore<Transaction>,
  namespace: () => string,
): ClaimGenerations<Transaction> {
  const askedAs = new WeakMap<Claim, string>();

  return {
    store: {
      ...store,

      async claim(request) {
        const current = namespace();
        const result = await store.claim(request);
        if (result.kind === "claimed") {
          askedAs.set(result.claim, current);
        }
        return result;
      },

      async takeOverExpired(options) {
        const current = namespace();
        const taken = await store.takeOverExpired(options);
        for (const { claim } of taken) {
          askedAs.set(claim, current);
        }
        return taken;
      },

      async reclaim(scope, held) {
        const current = namespace();
        const taken = await store.reclaim(scope, held);
        if (taken !== undefined) {
          askedAs.set(taken.claim, current);
        }
        return taken;
      },
    },

    isCurrent(claim) {
      const current = namespace();
      return (askedAs.get(claim) ?? current) === current;
    },
  };
}
