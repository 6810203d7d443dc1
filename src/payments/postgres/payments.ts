import type { Pool, PoolClient } from "pg";
import { bigint, boolean, columns, text, timestamptz } from "../../runtime/columns.js";
import type { Statement } from "../../runtime/statements.js";
import type { CaptureMethod, Payment, PaymentState, PaymentStatus } from "../payment.js";
import { ASKED, nameColumns, type RowName } from "./rows.js";

/** The constraints of the table vouch for the closed sets; pg gives bigint as text. */
export interface PaymentRow {
  readonly tenant: string;
  readonly id: string;
  readonly sequence: string;
  readonly currency_code: string;
  readonly amount: string;
  readonly payment_method: string;
  readonly capture_method: CaptureMethod;
  readonly merchant_reference: string;
  readonly description: string;
  readonly metadata: Record<string, string>;
  readonly status: PaymentStatus;
  readonly version: string;
  readonly authorized: string;
  readonly captured: string;
  readonly capturing: string;
  readonly refunded: string;
  readonly refunding: string;
  readonly canceling: boolean;
  readonly decline_code: string;
  readonly create_time: Date;
  readonly update_time: Date;
}

/** The part of a payment that operations change. */
const STATE = `status, version, authorized, captured, capturing, refunded, refunding, canceling,
  decline_code, update_time`;

/** The columns that a new payment is stored with. */
const STORED = `tenant, id, ${STATE}, currency_code, amount, payment_method, capture_method,
  merchant_reference, description, metadata, create_time`;

/** Named one by one: a statement that is prepared outlives a column that a newer build adds. */
export const PAYMENT_COLUMNS = `${STORED}, sequence`;

export async function findPayment(
  database: Pool | PoolClient,
  { tenant, id }: RowName,
): Promise<Payment | undefined> {
  const { rows } = await database.query<PaymentRow>(
    `SELECT ${PAYMENT_COLUMNS} FROM payments WHERE tenant = $1 AND id = $2`,
    [tenant, id],
  );
  return rows[0] && paymentOf(rows[0]);
}

/** Reads payments by name; those that are not there are left out. */
export async function findPayments(
  database: Pool | PoolClient,
  names: readonly RowName[],
): Promise<readonly Payment[]> {
  if (names.length === 0) {
    return [];
  }
  const { rows } = await database.query<PaymentRow>({
    name: "payments_find",
    text: `SELECT ${PAYMENT_COLUMNS} FROM ${ASKED} JOIN payments USING (tenant, id)`,
    values: nameColumns(names),
  });
  return rows.map(paymentOf);
}

/** A payment that stays as it is until the transaction ends. */
export interface LockedPayment {
  readonly payment: Payment;
  /** The time at which it was locked, on the database's clock. */
  readonly time: Date;
}

/** Locks payments in the order of their names; those that are not there are left out. */
export async function lockPayments(
  transaction: PoolClient,
  names: readonly RowName[],
): Promise<readonly LockedPayment[]> {
  if (names.length === 0) {
    return [];
  }
  const { rows } = await transaction.query<PaymentRow & { locked_time: Date }>({
    name: "payments_lock",
    text: `SELECT ${PAYMENT_COLUMNS}, clock_timestamp() AS locked_time
     FROM ${ASKED} JOIN payments USING (tenant, id)
     ORDER BY tenant, id FOR UPDATE OF payments`,
    values: nameColumns(names),
  });
  return rows.map((row) => ({ payment: paymentOf(row), time: row.locked_time }));
}

/** Stores the new states of locked payments. */
export function updatePayments(payments: readonly Payment[]): Statement {
  return {
    name: "payments_update",
    text: `UPDATE payments AS p SET status = after.status, version = after.version,
       authorized = after.authorized, captured = after.captured, capturing = after.capturing,
       refunded = after.refunded, refunding = after.refunding, canceling = after.canceling,
       decline_code = after.decline_code, update_time = after.update_time
     FROM unnest(${STATE_ARRAYS}) AS after (tenant, id, ${STATE})
     WHERE p.tenant = after.tenant AND p.id = after.id`,
    values: stateColumns(payments),
    rows: payments.length,
    touchesAll: true,
  };
}

/** The types of `stateColumns`, a statement's first parameters. */
const STATE_ARRAYS = `$1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[],
  $7::bigint[], $8::bigint[], $9::bigint[], $10::boolean[], $11::text[], $12::timestamptz[]`;

/** The names of payments and their STATE. */
function stateColumns(payments: readonly Payment[]): Buffer[] {
  return [
    ...nameColumns(payments),
    ...columns(
      payments,
      text(({ status }) => status),
      bigint(({ version }) => version),
      bigint(({ authorized }) => authorized),
      bigint(({ captured }) => captured),
      bigint(({ capturing }) => capturing),
      bigint(({ refunded }) => refunded),
      bigint(({ refunding }) => refunding),
      boolean(({ canceling }) => canceling),
      text(({ declineCode }) => declineCode),
      timestamptz(({ updateTime }) => updateTime),
    ),
  ];
}

export function paymentOf(row: PaymentRow): Payment {
  return {
    tenant: row.tenant,
    id: row.id,
    currencyCode: row.currency_code,
    minorUnits: BigInt(row.amount),
    paymentMethod: row.payment_method,
    captureMethod: row.capture_method,
    merchantReference: row.merchant_reference,
    description: row.description,
    metadata: row.metadata,
    createTime: row.create_time,
    updateTime: row.update_time,
    ...stateOf(row),
  };
}

/** The columns of a payment's state. */
export type StateRow = Pick<
  PaymentRow,
  | "status"
  | "version"
  | "authorized"
  | "captured"
  | "capturing"
  | "refunded"
  | "refunding"
  | "canceling"
  | "decline_code"
>;

export function stateOf(row: StateRow): PaymentState {
  return {
    status: row.status,
    version: BigInt(row.version),
    authorized: BigInt(row.authorized),
    captured: BigInt(row.captured),
    capturing: BigInt(row.capturing),
    refunded: BigInt(row.refunded),
    refunding: BigInt(row.refunding),
    canceling: row.canceling,
    declineCode: row.decline_code,
  };
}
