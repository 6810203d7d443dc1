import type { Pool, PoolClient } from "pg";
import { decodeOutcome, encodeOutcome } from "../../idempotency/outcome.js";
import { scopeHash } from "../../idempotency/scope.js";
import type {
  Claim,
  ClaimRequest,
  ClaimResult,
  IdempotencyStore,
  TakenOver,
} from "../../idempotency/store.js";
import { getRecord, listRecords } from "./records.js";
import type { ClaimRow, TakenOverRow } from "./statements.js";
import * as sql from "./statements.js";

/**
 * How often a claim is asked again that saw neither its own row nor another's:
 * the other was committed, or removed, while the statement ran.
 */
const CLAIM_ATTEMPTS = 10;

/** Something that runs a statement: the pool, or a connection in a transaction. */
type Queryable = Pick<Pool | PoolClient, "query">;

/**
 * The store of record. Its primary key is what makes a call execute once; its
 * clock is the only one that leases are measured by. The schema is
 * `idempotencyMigrations`.
 */
export function createPostgresStore(pool: Pool): IdempotencyStore<PoolClient> {
  /** Runs a write of an owner and tells whether it found the claim. */
  async function write(
    database: Queryable,
    statement: { name: string; text: string },
    claim: Claim,
    ...values: unknown[]
  ): Promise<boolean> {
    const { rowCount } = await database.query({
      ...statement,
      values: [claim.scope.tenant, scopeHash(claim.scope), claim.fencingToken, ...values],
    });
    return rowCount === 1;
  }

  async function claim(request: ClaimRequest): Promise<ClaimResult> {
    const { scope, fingerprint } = request;
    const values = [
      scope.tenant,
      scopeHash(scope),
      scope.operation,
      scope.key,
      fingerprint.version,
      fingerprint.canonical,
      fingerprint.raw,
      request.claimId,
      request.onLostOwner,
      request.leaseMs,
      request.request,
    ];
    for (let attempt = 0; attempt < CLAIM_ATTEMPTS; attempt += 1) {
      const { rows } = await pool.query<ClaimRow>({ ...sql.CLAIM, values });
      const row = rows[0];
      if (row !== undefined) {
        return toClaimResult(request, row);
      }
    }
    throw new Error(`the record of a key changed ${CLAIM_ATTEMPTS} times while it was claimed`);
  }

  return {
    claim,
    extend: (claim, leaseMs) => write(pool, sql.EXTEND, claim, leaseMs),
    complete: (claim, outcome, retentionMs) =>
      write(pool, sql.COMPLETE, claim, encodeOutcome(outcome), retentionMs),
    completeWithin: (transaction, claim, outcome, retentionMs) =>
      write(transaction, sql.COMPLETE_WITHIN, claim, encodeOutcome(outcome), retentionMs),
    committed: async () => {},
    ownsWithin: (transaction, claim) => write(transaction, sql.HOLD_OWNERSHIP, claim),
    release: (claim) => write(pool, sql.RELEASE, claim),

    suspend: (claim, suspension) =>
      suspension.kind === "hold"
        ? write(pool, sql.SUSPEND, claim, "held", 0, suspension.reason)
        : write(pool, sql.SUSPEND, claim, "executing", suspension.afterMs, suspension.reason),

    async takeOverExpired({ operations, limit, leaseMs }) {
      const { rows } = await pool.query<TakenOverRow>({
        ...sql.TAKE_OVER_EXPIRED,
        values: [limit, leaseMs, operations],
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

    get: (scope) => getRecord(pool, scope),
    list: (filter) => listRecords(pool, filter),
  };
}

function toClaimResult({ scope, claimId, fingerprint }: ClaimRequest, row: ClaimRow): ClaimResult {
  if (row.owned) {
    const { fencing_token, attempts } = row;
    return {
      kind: "claimed",
      claim: {
        scope,
        claimId,
        fingerprint,
        fencingToken: BigInt(fencing_token),
        attempt: attempts,
      },
    };
  }
  if (!row.same_request) {
    return { kind: "mismatch" };
  }
  if (row.expired) {
    return { kind: "expired" };
  }
  if (row.outcome !== null) {
    return { kind: "replay", outcome: decodeOutcome(row.outcome) };
  }
  if (row.held) {
    return { kind: "held" };
  }
  return {
    kind: "in_progress",
    elapsedMs: row.elapsed_ms,
    leaseRemainingMs: row.lease_remaining_ms,
  };
}

function toTakenOver(row: TakenOverRow): TakenOver {
  return {
    claim: {
      scope: { tenant: row.tenant, operation: row.operation, key: row.idempotency_key },
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
