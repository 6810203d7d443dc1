import type { Pool, PoolClient } from "pg";
import { arraysOf, namesOf } from "../../runtime/arrays.js";
import {
  bigint,
  boolean,
  columns,
  text,
  timestamptz,
  timestamptzOrNull,
} from "../../runtime/columns.js";
import type { Statement } from "../../runtime/statements.js";
import type {
  AwaitedAction,
  CaptureMethod,
  NextAction,
  Payment,
  PaymentState,
  PaymentStatus,
} from "../payment.js";
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
  readonly processor_reference: string;
  readonly next_action: string;
  readonly authorization_expire_time: Date | null;
  readonly look_time: Date | null;
  readonly create_time: Date;
  readonly update_time: Date;
}

/** Named one by one: a statement that is prepared outlives a column that a newer build adds. */
export const PAYMENT_COLUMNS = `tenant, id, status, version, authorized, captured, capturing,
  refunded, refunding, canceling, decline_code, processor_reference, next_action,
  authorization_expire_time, look_time, update_time, currency_code, amount, payment_method,
  capture_method, merchant_reference, description, metadata, create_time, sequence`;

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
  const all = ["tenant text", "id text", ...STATE_COLUMNS];
  return {
    name: "payments_update",
    text: `UPDATE payments AS p SET ${SET_STATE}
     FROM unnest(${arraysOf(all, 1)}) AS after (${namesOf(all)})
     WHERE p.tenant = after.tenant AND p.id = after.id`,
    values: [...nameColumns(payments), ...stateColumns(payments)],
    rows: payments.length,
    touchesAll: true,
  };
}

/** The columns of `stateColumns`, as a statement gets them. */
export const STATE_COLUMNS = [
  "status text",
  "version bigint",
  "authorized bigint",
  "captured bigint",
  "capturing bigint",
  "refunded bigint",
  "refunding bigint",
  "canceling boolean",
  "decline_code text",
  "processor_reference text",
  "next_action text",
  "authorization_expire_time timestamptz",
  "look_time timestamptz",
  "update_time timestamptz",
] as const;

/** Gives payments, which are updated, the states of the rows `after`. */
export const SET_STATE = STATE_COLUMNS.map((column) => column.split(" ")[0])
  .map((name) => `${name} = after.${name}`)
  .join(", ");

export function stateColumns(payments: readonly Payment[]): Buffer[] {
  return columns(
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
    text(({ processorReference }) => processorReference),
    text(({ nextAction }) => (nextAction === undefined ? "" : JSON.stringify(nextAction))),
    timestamptzOrNull(({ authorizationExpireTime }) => authorizationExpireTime),
    timestamptzOrNull(({ lookTime }) => lookTime),
    timestamptz(({ updateTime }) => updateTime),
  );
}

/** What `stateColumns` stores of an action that is awaited. */
function actionOf(stored: string): AwaitedAction | undefined {
  if (stored === "") {
    return undefined;
  }
  // Nobody but `stateColumns` writes it.
  const action = JSON.parse(stored) as NextAction & { readonly expireTime: string };
  return { ...action, expireTime: new Date(action.expireTime) };
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
  | "processor_reference"
  | "next_action"
  | "authorization_expire_time"
  | "look_time"
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
    processorReference: row.processor_reference,
    nextAction: actionOf(row.next_action),
    authorizationExpireTime: row.authorization_expire_time ?? undefined,
    lookTime: row.look_time ?? undefined,
  };
}
