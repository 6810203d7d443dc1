import type { Scope } from "../../../src/idempotency/port/scope.js";
import type { Claim } from "../../../src/idempotency/port/store.js";
import type { PostgresStore } from "../../../src/stores/postgres/index.js";
import { serveWith } from "./serve-with.js";

// A service whose database has lost the unique claim: every call has a record
// of its own, as if the primary key had been dropped.
await serveWith({ gate: withoutUniqueClaim });

function withoutUniqueClaim(store: PostgresStore): PostgresStore {
  const ownClaims = new WeakMap<Claim, Claim>();
  const own = (claim: Claim): Claim => ownClaims.get(claim) ?? claim;
  return {
    ...store,
    // Without the message nothing begins with the claim: all work is done under the caller's scope.
    async claim({ message: _, ...request }) {
      const scope: Scope = { ...request.scope, key: `${request.scope.key}#${request.claimId}` };
      const result = await store.claim({ ...request, scope });
      if (result.kind !== "claimed") {
        return result;
      }
      const claim = { ...result.claim, scope: request.scope };
      ownClaims.set(claim, result.claim);
      return { kind: "claimed", claim };
    },
    extend: (claim, leaseMs) => store.extend(own(claim), leaseMs),
    complete: (claim, ...outcome) => store.complete(own(claim), ...outcome),
    completeWithin: (transaction, completions) =>
      store.completeWithin(
        transaction,
        completions.map((one) => ({ ...one, claim: own(one.claim) })),
      ),
    ownWithin: (transaction, claims) => store.ownWithin(transaction, claims.map(own)),
    writeOwned: (pool, write) =>
      store.writeOwned(pool, {
        ...write,
        rows: write.rows.map((row) => ({ ...row, claim: own(row.claim) })),
      }),
    release: (claim) => store.release(own(claim)),
    suspend: (claim, suspension) => store.suspend(own(claim), suspension),
  };
}
