import type { Pool } from "pg";

/** A request of an operator, as it is recorded before it is carried out. */
export interface Act {
  readonly identity: string;
  readonly role: string;
  readonly operatorTenant: string;
  /** The operator's address and port. */
  readonly peer: string;
  readonly method: string;
  /** The tenant whose keys the act is about. */
  readonly tenant: string;
  /** Empty where the act is not about one operation; so is the key. */
  readonly operation: string;
  readonly key: string;
  readonly resolution: string;
  readonly reason: string;
}

/** An act as it is stored. */
export interface RecordedAct extends Act {
  readonly id: bigint;
  readonly timeMs: number;
  /** The result of the act; undefined while it is not known. */
  readonly result?: string;
}

/** The lasting record of what operators did. */
export interface OperatorActs {
  /** Writes an act down before it is carried out. Resolves with the id that `end` takes. */
  begin(act: Act): Promise<bigint>;
  /** Writes the result of an act down. */
  end(id: bigint, result: string): Promise<void>;
  /** Lists the acts about a tenant's keys, the newest first; with `before`, those with a smaller id. */
  list(filter: {
    readonly tenant: string;
    readonly before: bigint | undefined;
    readonly limit: number;
  }): Promise<readonly RecordedAct[]>;
}

interface ActRow {
  readonly id: string;
  readonly act_ms: number;
  readonly identity: string;
  readonly role: string;
  readonly operator_tenant: string;
  readonly peer: string;
  readonly method: string;
  readonly tenant: string;
  readonly operation: string;
  readonly idempotency_key: string;
  readonly resolution: string;
  readonly reason: string;
  readonly result: string | null;
}

/** Makes the record of operators' acts in the table `operator_acts`. */
export function createOperatorActs(pool: Pool): OperatorActs {
  return {
    async begin(act) {
      const { rows } = await pool.query<Pick<ActRow, "id">>(
        `INSERT INTO operator_acts (identity, role, operator_tenant, peer, method, tenant,
           operation, idempotency_key, resolution, reason)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id`,
        [
          ...[act.identity, act.role, act.operatorTenant, act.peer, act.method, act.tenant],
          ...[act.operation, act.key, act.resolution, act.reason],
        ],
      );
      return BigInt(rows[0]?.id ?? 0);
    },
    async end(id, result) {
      await pool.query("UPDATE operator_acts SET result = $2 WHERE id = $1", [id, result]);
    },
    async list({ tenant, before, limit }) {
      const { rows } = await pool.query<ActRow>(
        `SELECT *, (extract(epoch FROM act_time) * 1000)::float8 AS act_ms FROM operator_acts
         WHERE tenant = $1 AND ($2::bigint IS NULL OR id < $2) ORDER BY id DESC LIMIT $3`,
        [tenant, before, limit],
      );
      return rows.map(toAct);
    },
  };
}

function toAct(row: ActRow): RecordedAct {
  const { identity, role, peer, method, tenant, operation, resolution, reason } = row;
  return {
    ...{ identity, role, peer, method, tenant, operation, resolution, reason },
    id: BigInt(row.id),
    timeMs: row.act_ms,
    operatorTenant: row.operator_tenant,
    key: row.idempotency_key,
    ...(row.result === null ? {} : { result: row.result }),
  };
}
