import type { IdempotencyStore } from "../../src/idempotency/port/store.js";

/**
 * A store that grants every claim and keeps nothing: whatever memory grows,
 * it is not the store's. Behind it nothing happens once, so it is for keys that
 * are sent once.
 */
export function createEmptyStore(): IdempotencyStore {
  let lastToken = 0n;
  return {
    async claim({ scope, claimId, fingerprint }) {
      lastToken += 1n;
      const claim = { scope, claimId, fingerprint, fencingToken: lastToken, attempt: 1 };
      return { kind: "claimed", claim };
    },
    extend: async () => true,
    complete: async () => true,
    completeWithin: async (_transaction, completions) => completions.map(() => true),
    committed: async () => {},
    async ownWithin(_transaction, claims, onSent = () => {}) {
      onSent();
      return claims.map(() => true);
    },
    release: async () => true,
    reopen: async () => true,
    reopenWithin: async () => true,
    suspend: async () => true,
    takeOverExpired: async () => [],
    reap: async () => 0,
    reclaim: async () => undefined,
    get: async () => undefined,
    list: async () => ({ records: [] }),
  };
}
