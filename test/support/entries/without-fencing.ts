import type { PoolClient } from "pg";
import { scopeHash } from "../../../src/idempotency/scope.js";
import type { Claim, IdempotencyStore } from "../../../src/idempotency/store.js";
import { serveWith } from "./serve-with.js";

// A service whose statements compare neither the fencing token nor the claim's
// id: whoever ever had a claim writes under whatever its record carries by then.
await serveWith({ gate: withoutFencing });

function withoutFencing(store: IdempotencyStore<PoolClient>): IdempotencyStore<PoolClient> {
  async function current(claim: Claim): Promise<Claim> {
    const found = await store.get(claim.scope);
    if (found === undefined) {
      return claim;
    }
    const { fencingToken, claimId } = found.record;
    return { ...claim, fencingToken, claimId };
  }
  return {
    ...store,
    extend: async (claim, leaseMs) => store.extend(await current(claim), leaseMs),
    complete: async (claim, ...outcome) => store.complete(await current(claim), ...outcome),
    completeWithin: async (transaction, claim, ...outcome) =>
      store.completeWithin(transaction, await current(claim), ...outcome),
    // Sent at once, as the product does: claims are locked before payments.
    async ownsWithin(transaction, { scope }) {
      const { rowCount } = await transaction.query(
        `SELECT FROM idempotency_records
         WHERE tenant = $1 AND scope_hash = $2 AND state = 'executing' FOR NO KEY UPDATE`,
        [scope.tenant, scopeHash(scope)],
      );
      return rowCount === 1;
    },
    reopen: async (claim) => store.reopen(await current(claim)),
    reopenWithin: async (transaction, claim) =>
      store.reopenWithin(transaction, await current(claim)),
    release: async (claim) => store.release(await current(claim)),
    suspend: async (claim, suspension) => store.suspend(await current(claim), suspension),
  };
}
