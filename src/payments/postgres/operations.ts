import type { PoolClient } from "pg";
import { bigint, columns, text, timestamptz } from "../../runtime/columns.js";
import type { Operation, OperationKind } from "../operation.js";
import { ASKED, mustTouch, nameColumns, type RowName } from "./rows.js";

/** The constraints of the table vouch for the closed sets; pg gives bigint as text. */
interface OperationRow {
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
}

/** An operation that is stored, and how long ago it began on the database's clock. */
export interface FoundOperation {
  readonly operation: Operation;
  readonly begunAgoMs: number;
}

/** Named one by one: a statement that is prepared outlives a column that a newer build adds. */
const COLUMNS = `tenant, id, processor_key, payment_id, kind, minor_units, currency_code, state,
  decline_code, begin_time, finish_time`;

/** The payment that an operation is on. */
export function paymentNameOf({
  tenant,
  paymentId,
}: Pick<Operation, "tenant" | "paymentId">): RowName {
  return { tenant, id: paymentId };
}

/** Reads operations by their ids; those that are not there are left out. */
export async function findOperations(
  transaction: PoolClient,
  names: readonly RowName[],
): Promise<readonly FoundOperation[]> {
  const { rows } = await transaction.query<OperationRow & { begun_ago_ms: number }>({
    name: "operations_find",
    text: `SELECT ${COLUMNS},
       (extract(epoch FROM clock_timestamp() - begin_time) * 1000)::float8 AS begun_ago_ms
     FROM ${ASKED} JOIN operations USING (tenant, id)`,
    values: nameColumns(names),
  });
  return rows.map((row) => ({ operation: operationOf(row), begunAgoMs: row.begun_ago_ms }));
}

/** Stores new operations. */
export async function insertOperations(
  transaction: PoolClient,
  operations: readonly Operation[],
): Promise<void> {
  if (operations.length === 0) {
    return;
  }
  await transaction.query({
    name: "operations_insert",
    text: `INSERT INTO operations
       (tenant, id, processor_key, payment_id, kind, minor_units, currency_code, begin_time)
     SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[],
       $6::bigint[], $7::text[], $8::timestamptz[])`,
    values: [
      ...nameColumns(operations),
      ...columns(
        operations,
        text(({ processorKey }) => processorKey),
        text(({ paymentId }) => paymentId),
        text(({ kind }) => kind),
        bigint(({ minorUnits }) => minorUnits),
        text(({ currencyCode }) => currencyCode),
        timestamptz(({ beginTime }) => beginTime),
      ),
    ],
  });
}

/** An operation with its processor's answer. */
export type FinishedOperation = Operation & Required<Pick<Operation, "finishTime">>;

/** Stores the processor's answers. */
export async function finishOperations(
  transaction: PoolClient,
  operations: readonly FinishedOperation[],
): Promise<void> {
  const result = await transaction.query({
    name: "operations_finish",
    text: `UPDATE operations AS o
     SET state = finished.state, decline_code = finished.decline_code,
       finish_time = finished.finish_time
     FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
       AS finished (tenant, id, state, decline_code, finish_time)
     WHERE o.tenant = finished.tenant AND o.id = finished.id AND o.finish_time IS NULL`,
    values: [
      ...nameColumns(operations),
      ...columns(
        operations,
        text(({ state }) => state),
        text(({ declineCode }) => declineCode),
        timestamptz(({ finishTime }) => finishTime),
      ),
    ],
  });
  // An operation that has an answer keeps it.
  mustTouch(operations.length, result);
}

/** Notes that the processor was asked and its answers were not received. */
export async function markOperationsUnknown(
  transaction: PoolClient,
  operations: readonly Operation[],
): Promise<void> {
  await transaction.query({
    name: "operations_mark_unknown",
    text: `UPDATE operations AS o SET state = 'unknown'
     FROM ${ASKED}
     WHERE o.tenant = asked.tenant AND o.id = asked.id AND o.finish_time IS NULL`,
    values: nameColumns(operations),
  });
}

/** Sets the beginning of an operation without a result to now. */
export async function restartOperation(
  transaction: PoolClient,
  tenant: string,
  id: string,
): Promise<void> {
  await transaction.query(
    `UPDATE operations SET begin_time = clock_timestamp()
     WHERE tenant = $1 AND id = $2 AND finish_time IS NULL`,
    [tenant, id],
  );
}

function operationOf(row: OperationRow): Operation {
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
  };
}
