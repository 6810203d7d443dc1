import type { Pool } from "pg";
import { arraysOf, namesOf } from "../../runtime/arrays.js";
import { bigint, columns, text, timestamptz } from "../../runtime/columns.js";
import { movedBy } from "../ledger.js";
import type { Operation } from "../operation.js";
import type { Payment } from "../payment.js";
import { OPERATION_COLUMNS, type OperationRow, operationOf } from "./operations.js";
import {
  BOOKED,
  CHANGE_COLUMNS,
  changeColumns,
  LOCKED,
  type PaymentChange,
  writtenFrom,
} from "./payment-change.js";
import { PAYMENT_COLUMNS, type PaymentRow, paymentOf } from "./payments.js";

/** The least and the most time between two looks at one payment. Seconds. */
const LEAST_WAIT_S = 2;
const MOST_WAIT_S = 600;

/** A payment to look at, and the time at which it was read. */
export interface ToLookAt {
  readonly payment: Payment;
  /** On the database's clock. */
  readonly time: Date;
}

/**
 * Takes payments that are to be looked at, the longest overdue first, and puts
 * their next look off: the longer nothing happens, the longer. No two processes
 * take the same.
 */
export async function takePaymentsToLookAt(
  pool: Pool,
  limit: number,
): Promise<readonly ToLookAt[]> {
  const { rows } = await pool.query<PaymentRow & { readonly read_time: Date }>({
    name: "payments_take_to_look_at",
    text: `WITH due AS (
       SELECT tenant AS due_tenant, id AS due_id FROM payments
       WHERE look_time <= statement_timestamp()
       ORDER BY look_time LIMIT $1
       FOR NO KEY UPDATE SKIP LOCKED
     )
     -- In milliseconds, in which it is read: see lookNextAt.
     UPDATE payments SET look_time = date_trunc('milliseconds', statement_timestamp()
       + least(greatest((statement_timestamp() - update_time) / 4, $2), $3))
     FROM due WHERE tenant = due_tenant AND id = due_id
     RETURNING ${PAYMENT_COLUMNS}, statement_timestamp() AS read_time`,
    values: [limit, `${LEAST_WAIT_S} s`, `${MOST_WAIT_S} s`],
  });
  return rows.map((row) => ({ payment: paymentOf(row), time: row.read_time }));
}

/** Has a payment looked at soon, if the processor may still move it on by itself. */
export async function lookSoon(
  pool: Pool,
  { tenant, id }: Pick<Payment, "tenant" | "id">,
): Promise<void> {
  await pool.query({
    name: "payments_look_soon",
    text: `UPDATE payments SET look_time = statement_timestamp()
     WHERE tenant = $1 AND id = $2 AND status IN ('REQUIRES_ACTION', 'AUTHORIZED')`,
    values: [tenant, id],
  });
}

/** Sets when to look next at a payment that was taken, unless somebody wants it looked at before. */
export async function lookNextAt(
  pool: Pool,
  { tenant, id, version, lookTime }: Pick<Payment, "tenant" | "id" | "version" | "lookTime">,
  nextTime: Date | undefined,
): Promise<void> {
  await pool.query({
    name: "payments_look_next_at",
    text: `UPDATE payments SET look_time = $5
     WHERE tenant = $1 AND id = $2 AND version = $3 AND look_time = $4`,
    values: [tenant, id, version, lookTime, nextTime],
  });
}

/** Finds the operation whose customer has to act. Undefined once it has ended. */
export async function findOperationInAction(
  pool: Pool,
  { tenant, id }: Pick<Payment, "tenant" | "id">,
): Promise<Operation | undefined> {
  const { rows } = await pool.query<OperationRow>({
    name: "operations_in_action",
    text: `SELECT ${OPERATION_COLUMNS} FROM operations
     WHERE tenant = $1 AND payment_id = $2 AND state = 'requires_action'`,
    values: [tenant, id],
  });
  return rows[0] && operationOf(rows[0]);
}

/** What was found at the processor, and the payment as it is with that. */
export interface Observed extends PaymentChange {
  /** The operation that ends with it; undefined where none does. */
  readonly operation: Operation | undefined;
}

const COLUMNS = [
  "tenant text",
  ...CHANGE_COLUMNS,
  "operation_id text",
  "operation_state text",
  "operation_decline_code text",
  "finish_time timestamptz",
  "currency_code text",
  "booked bigint",
];

/**
 * Stores what was found at the processor, with all that follows from it, in one
 * commit, where the payment is still as it was found for. Nobody owns it: of
 * several that found the same, the first one writes.
 * @returns false where the payment has changed since; nothing is written then
 */
export async function writeObserved(pool: Pool, observed: Observed): Promise<boolean> {
  const { rowCount } = await pool.query({
    name: "payments_observe",
    text: `WITH owned AS (
  SELECT * FROM unnest(${arraysOf(COLUMNS, 1)}) AS owned (${namesOf(COLUMNS)})
), ${LOCKED}, ended AS (
  UPDATE operations AS o
  SET state = locked.operation_state, decline_code = locked.operation_decline_code,
    finish_time = locked.finish_time
  FROM locked
  WHERE o.tenant = locked.tenant AND o.id = locked.operation_id AND o.state = 'requires_action'
  RETURNING o.tenant, o.id
), found AS (
  SELECT locked.* FROM locked LEFT JOIN ended
    ON ended.tenant = locked.tenant AND ended.id = locked.operation_id
  WHERE locked.operation_id = '' OR ended.id IS NOT NULL
), ${writtenFrom("found")}, ${BOOKED}
SELECT FROM written`,
    values: [...observedColumns([observed])],
  });
  return rowCount === 1;
}

function observedColumns(observed: readonly Observed[]): readonly Buffer[] {
  return [
    ...columns(
      observed,
      text(({ payment }) => payment.tenant),
    ),
    ...changeColumns(observed),
    ...columns(
      observed,
      text(({ operation }) => operation?.id ?? ""),
      text(({ operation }) => operation?.state ?? ""),
      text(({ operation }) => operation?.declineCode ?? ""),
      timestamptz(({ operation, payment }) => operation?.finishTime ?? payment.updateTime),
      text(({ payment }) => payment.currencyCode),
      bigint(({ operation, payment }) =>
        operation?.state === "approved" ? movedBy(operation, payment) : 0n,
      ),
    ),
  ];
}
