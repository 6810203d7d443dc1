import type { Pool, PoolClient } from "pg";
import { bigint, columns, text, timestamptz } from "../../runtime/columns.js";
import type { Statement } from "../../runtime/statements.js";
import type { Operation, OperationKind } from "../operation.js";
import { ASKED, mustExist, nameColumns, type RowName } from "./rows.js";

/** The constraints of the table vouch for the closed sets; pg gives bigint as text. */
export interface OperationRow {
  readonly tenant: string;
  readonly id: string;
  readonly processor_key: string;
  readonly payment_id: string;
  readonly kind: OperationKind;
  readonly minor_units: string;
  readonly currency_code: string;
  readonly state: Operation["state"];
  readonly decline_code: string;
  readonly begin_time: Date;
  readonly finish_time: Date | null;
  readonly fingerprint_version: number | null;
  readonly fingerprint: Buffer | null;
  readonly raw_hash: Buffer | null;
}

/** An operation that is stored, and how long ago it was sent first, at the most. */
export interface FoundOperation {
  readonly operation: Operation;
  /** The time since it was sent first, on the database's clock. Milliseconds. */
  readonly begunAgoMs: number;
}

/**
 * Returns the earliest time at which an operation can have been sent first. One that was not executed
 * may begin again, but a call from before the operator's word may have been on
 * its way then; the processor forgets that one by its own time.
 */
export function firstSendingOf({ state, beginTime, finishTime }: Operation): Date {
  return state === "not_executed" && finishTime !== undefined ? finishTime : beginTime;
}

/** Named one by one: a statement that is prepared outlives a column that a newer build adds. */
export const OPERATION_COLUMNS = `tenant, id, processor_key, payment_id, kind, minor_units, currency_code, state,
  decline_code, begin_time, finish_time, fingerprint_version, fingerprint, raw_hash`;

/** The payment that an operation is on. */
export function paymentNameOf({
  tenant,
  paymentId,
}: Pick<Operation, "tenant" | "paymentId">): RowName {
  return { tenant, id: paymentId };
}

/** Reads operations by their ids; those that are not there are left out. Also tells the database's time. */
export async function findOperations(
  database: Pool | PoolClient,
  names: readonly RowName[],
): Promise<{ readonly found: readonly FoundOperation[]; readonly time: Date }> {
  const { rows } = await database.query<
    OperationRow & {
      readonly begun_ago_ms: number;
      readonly is_there: boolean;
      readonly time: Date;
    }
  >({
    name: "operations_find",
    text: `SELECT ${OPERATION_COLUMNS}, processor_key IS NOT NULL AS is_there, clock_timestamp() AS time,
       (extract(epoch FROM clock_timestamp()
         - CASE state WHEN 'not_executed' THEN finish_time ELSE begin_time END) * 1000)::float8
         AS begun_ago_ms
     FROM ${ASKED} LEFT JOIN operations USING (tenant, id)`,
    values: nameColumns(names),
  });
  const there = rows.filter(({ is_there }) => is_there);
  return {
    found: there.map((row) => ({ operation: operationOf(row), begunAgoMs: row.begun_ago_ms })),
    time: mustExist(rows[0], "the clock").time,
  };
}

/** An operation with the request that it began for. */
export type NewOperation = Operation & Required<Pick<Operation, "fingerprint">>;

/** An operation that has ended. */
export type FinishedOperation = Operation & Required<Pick<Operation, "finishTime">>;

/** Stores how operations have ended. */
export function finishOperations(operations: readonly FinishedOperation[]): Statement {
  return {
    name: "operations_finish",
    text: `UPDATE operations AS o
     SET state = finished.state, decline_code = finished.decline_code,
       finish_time = finished.finish_time, minor_units = finished.minor_units
     FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::bigint[])
       AS finished (tenant, id, state, decline_code, finish_time, minor_units)
     WHERE o.tenant = finished.tenant AND o.id = finished.id AND o.finish_time IS NULL`,
    values: [
      ...nameColumns(operations),
      ...columns(
        operations,
        text(({ state }) => state),
        text(({ declineCode }) => declineCode),
        timestamptz(({ finishTime }) => finishTime),
        bigint(({ minorUnits }) => minorUnits),
      ),
    ],
    // An operation that has an answer keeps it.
    rows: operations.length,
    touchesAll: true,
  };
}

export function operationOf(row: OperationRow): Operation {
  const { fingerprint_version: version, fingerprint: canonical, raw_hash: raw } = row;
  return {
    tenant: row.tenant,
    id: row.id,
    processorKey: row.processor_key,
    paymentId: row.payment_id,
    kind: row.kind,
    minorUnits: BigInt(row.minor_units),
    currencyCode: row.currency_code,
    state: row.state,
    declineCode: row.decline_code,
    beginTime: row.begin_time,
    ...(row.finish_time === null ? {} : { finishTime: row.finish_time }),
    ...(version === null || canonical === null || raw === null
      ? {}
      : { fingerprint: { version, canonical, raw } }),
  };
}
