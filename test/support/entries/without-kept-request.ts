import type { PoolClient } from "pg";
import { scopeHash } from "../../../src/idempotency/port/scope.js";
import type { Claim, IdempotencyStore } from "../../../src/idempotency/port/store.js";
import { operationIdOf } from "../../../src/payments/operation.js";
import { readConfig } from "../../../src/server/config.js";
import { openStoreOfRecord } from "../../../src/server/dependencies.js";
import { createLogger } from "../../../src/server/log.js";
import { createShutdown } from "../../../src/server/shutdown.js";
import { serveWith } from "./serve-with.js";

// A service that forgets the request of a key which an operator gave free, and
// goes on with what the key has begun, whoever's request it is now.
const config = readConfig();
const log = createLogger(config.logLevel);
const { payments } = (await openStoreOfRecord({ config, log, shutdown: createShutdown() })).value;
await serveWith({ gate: withoutKeptRequest });

function withoutKeptRequest(store: IdempotencyStore<PoolClient>): IdempotencyStore<PoolClient> {
  return {
    ...store,
    async claim(request) {
      const result = await store.claim(request);
      return result.kind === "claimed"
        ? { kind: "claimed", claim: await asBegun(result.claim) }
        : result;
    },
    async reopenWithin(transaction, { scope, fencingToken }) {
      const { rowCount } = await transaction.query(
        `DELETE FROM idempotency_records
         WHERE tenant = $1 AND scope_hash = $2 AND fencing_token = $3`,
        [scope.tenant, scopeHash(scope), fencingToken],
      );
      return rowCount === 1;
    },
  };
}

/** The claim with the request that its operation began for, if it has begun. */
async function asBegun(claim: Claim): Promise<Claim> {
  const { scope } = claim;
  const { rows } = await payments.query<{ version: number; canonical: Buffer; raw: Buffer }>(
    `SELECT fingerprint_version AS version, fingerprint AS canonical, raw_hash AS raw
     FROM operations WHERE tenant = $1 AND id = $2`,
    [scope.tenant, operationIdOf(scope)],
  );
  return rows[0] === undefined ? claim : { ...claim, fingerprint: rows[0] };
}
