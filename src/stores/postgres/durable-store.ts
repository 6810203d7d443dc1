import type { PostgresStore } from "./store.js";

/**
 * The same store, as long as the database keeps what it confirms. While it may
 * not, whatever a caller would be told of rejects before anything is sent: the
 * caller learns that the store is not available, and nothing is claimed.
 *
 * @param lossySetting the setting under which the database may lose commits, if there is one now
 */
export function onlyWhileDurable(
  store: PostgresStore,
  lossySetting: () => string | undefined,
): PostgresStore {
  function assertDurable(): void {
    const setting = lossySetting();
    if (setting !== undefined) {
      throw new Error(`${setting} is off, so the database may lose what it confirms`);
    }
  }

  return {
    ...store,

    async claim(request) {
      assertDurable();
      return store.claim(request);
    },

    async complete(claim, outcome, retentionMs) {
      assertDurable();
      return store.complete(claim, outcome, retentionMs);
    },

    async completeWithin(transaction, completions) {
      assertDurable();
      return store.completeWithin(transaction, completions);
    },

    // Work under a claim begins and ends with this question.
    async ownWithin(transaction, claims) {
      assertDurable();
      return store.ownWithin(transaction, claims);
    },

    async writeOwned(pool, write) {
      assertDurable();
      return store.writeOwned(pool, write);
    },

    async release(claim) {
      assertDurable();
      return store.release(claim);
    },

    async reopen(claim) {
      assertDurable();
      return store.reopen(claim);
    },

    async reopenWithin(transaction, claim) {
      assertDurable();
      return store.reopenWithin(transaction, claim);
    },

    // Nobody waits for recovery, and it has nothing to tell in each of its rounds.
    async takeOverExpired(options) {
      return lossySetting() === undefined ? store.takeOverExpired(options) : [];
    },

    async reclaim(scope, held) {
      assertDurable();
      return store.reclaim(scope, held);
    },
  };
}
