import { scopeHash } from "../../../src/idempotency/port/scope.js";
import type { Claim } from "../../../src/idempotency/port/store.js";
import type { PostgresStore } from "../../../src/stores/postgres/index.js";
import { serveWith } from "./serve-with.js";

// A service whose statements compare neither the fencing token nor the claim's
// id: whoever ever had a claim writes under whatever its record carries by then.
await serveWith({ gate: withoutFencing });

function withoutFencing(store: PostgresStore): PostgresStore {
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
    completeWithin: async (transaction, completions) =>
      store.completeWithin(
        transaction,
        await Promise.all(
          completions.map(async (one) => ({ ...one, claim: await current(one.claim) })),
        ),
      ),
    async ownWithin(transaction, claims) {
      const { rows } = await transaction.query<{ tenant: string; scope_hash: Buffer }>(
        `SELECT tenant, scope_hash FROM idempotency_records
         WHERE (tenant, scope_hash) IN (SELECT * FROM unnest($1::text[], $2::bytea[]))
           AND state = 'executing' FOR NO KEY UPDATE`,
        [
          claims.map(({ scope }) => scope.tenant),
          claims.map(({ scope }) => Buffer.from(scopeHash(scope))),
        ],
      );
      return claims.map(({ scope }) =>
        rows.some((row) => row.tenant === scope.tenant && row.scope_hash.equals(scopeHash(scope))),
      );
    },
    writeOwned: async (pool, write) =>
      store.writeOwned(pool, {
        ...write,
        rows: await Promise.all(
          write.rows.map(async (row) => ({ ...row, claim: await current(row.claim) })),
        ),
      }),
    reopen: async (claim) => store.reopen(await current(claim)),
    reopenWithin: async (transaction, claim) =>
      store.reopenWithin(transaction, await current(claim)),
    release: async (claim) => store.release(await current(claim)),
    suspend: async (claim, suspension) => store.suspend(await current(claim), suspension),
  };
}
