import type { Pool, PoolClient } from "pg";
import { rememberingScope, scopeHash } from "../../idempotency/port/scope.js";
import type { IdempotencyStore, TakenOver } from "../../idempotency/port/store.js";
import type { Written } from "../../runtime/owned-work.js";
import { type ClaimsOptions, createClaims } from "./claims.js";
import { onlyWhileDurable } from "./durable-store.js";
import { type OwnedWrite, writeOwned } from "./owned-write.js";
import { createOwnerWrites } from "./owner-writes.js";
import { getRecord, listRecords } from "./records.js";
import type { TakenOverRow } from "./statements.js";
import * as sql from "./statements.js";

export interface PostgresStoreOptions extends ClaimsOptions {
  /**
   * Returns a setting of the database under which it may lose commits, if there is
   * one, as `watchDeployment` finds it. While there is one, no call is taken.
   * Default: there is none.
   */
  readonly lossySetting?: () => string | undefined;
  /** The pool of `get` and `list`, which no call needs. Default: that of the store. */
  readonly inspection?: Pool;
}

/** The store of record, and how work is written under its claims. */
export interface PostgresStore extends IdempotencyStore<PoolClient> {
  /** Does work for many owners in one statement, and says by position what became of each. */
  writeOwned(pool: Pool, write: OwnedWrite): Promise<readonly Written[]>;
}

/**
 * Makes the store of record. Its primary key makes a call execute once; leases are
 * measured by the database's clock and by no other. Claims and completions that
 * come together share a statement and its commit. The schema is
 * `idempotencyMigrations`.
 */
export function createPostgresStore(pool: Pool, options: PostgresStoreOptions = {}): PostgresStore {
  const { lossySetting = () => undefined, inspection = pool } = options;
  const owners = createOwnerWrites(pool);

  const store: PostgresStore = {
    claim: createClaims(pool, options),
    extend: (claim, leaseMs) => owners.extend({ claim, leaseMs }),
    complete: (claim, outcome, retentionMs) => owners.complete({ claim, outcome, retentionMs }),
    completeWithin: owners.completeWithin,
    committed: async () => {},
    ownWithin: owners.ownWithin,
    writeOwned,
    release: (claim) => owners.endWithoutOutcome({ claim, as: "released" }),
    reopen: (claim) => owners.endWithoutOutcome({ claim, as: "reopened" }),
    reopenWithin: owners.reopenWithin,
    suspend: (claim, as) => owners.endWithoutOutcome({ claim, as }),

    async takeOverExpired({ operations, limit, leaseMs, exceptTenants = [] }) {
      const { rows } = await pool.query<TakenOverRow>({
        ...sql.TAKE_OVER_EXPIRED,
        values: [limit, leaseMs, operations, exceptTenants],
      });
      return rows.map(toTakenOver);
    },

    async reap(limit) {
      const { rowCount } = await pool.query({ ...sql.REAP, values: [limit] });
      return rowCount ?? 0;
    },

    async reclaim(scope, { fencingToken, reason, leaseMs }) {
      const { rows } = await pool.query<TakenOverRow>({
        ...sql.RECLAIM,
        values: [scope.tenant, scopeHash(scope), fencingToken, reason, leaseMs],
      });
      return rows[0] && toTakenOver(rows[0]);
    },

    get: (scope) => getRecord(inspection, scope),
    list: (filter) => listRecords(inspection, filter),
  };
  return onlyWhileDurable(store, lossySetting);
}

function toTakenOver(row: TakenOverRow): TakenOver {
  return {
    claim: {
      scope: rememberingScope({
        tenant: row.tenant,
        operation: row.operation,
        key: row.idempotency_key,
      }),
      claimId: row.claim_id,
      fingerprint: {
        version: row.fingerprint_version,
        canonical: row.fingerprint,
        raw: row.raw_hash,
      },
      fencingToken: BigInt(row.fencing_token),
      attempt: row.attempts,
    },
    request: row.request,
  };
}
