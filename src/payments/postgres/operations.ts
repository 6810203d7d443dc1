import type { PoolClient } from "pg";
import type { Operation, OperationKind } from "../operation.js";
import type { ProcessorDecision } from "../processor.js";
import { only } from "./rows.js";

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

export type NewOperation = Pick<
  Operation,
  "tenant" | "id" | "processorKey" | "paymentId" | "kind" | "minorUnits" | "currencyCode"
>;

/** Reads an operation, and how long ago it began on the database's clock. */
export async function findOperation(
  transaction: PoolClient,
  tenant: string,
  id: string,
): Promise<{ readonly operation: Operation; readonly begunAgoMs: number } | undefined> {
  const { rows } = await transaction.query<OperationRow & { begun_ago_ms: number }>(
    `SELECT *, (extract(epoch FROM clock_timestamp() - begin_time) * 1000)::float8 AS begun_ago_ms
     FROM operations WHERE tenant = $1 AND id = $2`,
    [tenant, id],
  );
  const [row] = rows;
  return row && { operation: operationOf(row), begunAgoMs: row.begun_ago_ms };
}

export async function insertOperation(
  transaction: PoolClient,
  operation: NewOperation,
): Promise<Operation> {
  const { rows } = await transaction.query<OperationRow>(
    `INSERT INTO operations
       (tenant, id, processor_key, payment_id, kind, minor_units, currency_code)
     VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING *`,
    [
      operation.tenant,
      operation.id,
      operation.processorKey,
      operation.paymentId,
      operation.kind,
      operation.minorUnits,
      operation.currencyCode,
    ],
  );
  return operationOf(only(rows));
}

/** Stores the processor's answer, once: an operation that has one keeps it. */
export async function finishOperation(
  transaction: PoolClient,
  operation: Operation,
  decision: ProcessorDecision,
): Promise<Operation> {
  const { rows } = await transaction.query<OperationRow>(
    `UPDATE operations SET state = $3, decline_code = $4, finish_time = statement_timestamp()
     WHERE tenant = $1 AND id = $2 AND finish_time IS NULL RETURNING *`,
    [
      operation.tenant,
      operation.id,
      decision.kind,
      decision.kind === "declined" ? decision.declineCode : "",
    ],
  );
  return operationOf(only(rows));
}

/** Notes that the processor was asked and its answer was not received. */
export async function markOperationUnknown(
  transaction: PoolClient,
  operation: Operation,
): Promise<void> {
  await transaction.query(
    `UPDATE operations SET state = 'unknown'
     WHERE tenant = $1 AND id = $2 AND finish_time IS NULL`,
    [operation.tenant, operation.id],
  );
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
