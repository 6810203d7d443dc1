import { toBinary } from "@bufbuild/protobuf";
import type { Pool, PoolClient } from "pg";
import { PaymentSchema } from "../../gen/payonce/payments/v1/payments_pb.js";
import { paymentMessage } from "../messages.js";
import type { Page } from "../paging.js";
import type { CaptureMethod, Payment, PaymentStatus, PaymentTerms } from "../payment.js";
import { initialState } from "../state.js";
import { only } from "./rows.js";

/** The constraints of the table vouch for the closed sets; pg gives bigint as text. */
interface PaymentRow {
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

/** What names a payment. An id alone never does: it may be another tenant's. */
export interface PaymentName {
  readonly tenant: string;
  readonly id: string;
}

export async function findPayment(
  database: Pool | PoolClient,
  { tenant, id }: PaymentName,
): Promise<Payment | undefined> {
  const { rows } = await database.query<PaymentRow>(
    "SELECT * FROM payments WHERE tenant = $1 AND id = $2",
    [tenant, id],
  );
  return rows[0] && paymentOf(rows[0]);
}

/** Reads a payment that stays as it is until the transaction ends. */
export async function lockPayment(
  transaction: PoolClient,
  { tenant, id }: PaymentName,
): Promise<Payment | undefined> {
  const { rows } = await transaction.query<PaymentRow>(
    "SELECT * FROM payments WHERE tenant = $1 AND id = $2 FOR UPDATE",
    [tenant, id],
  );
  return rows[0] && paymentOf(rows[0]);
}

export async function insertPayment(
  transaction: PoolClient,
  { tenant, id }: PaymentName,
  terms: PaymentTerms,
): Promise<Payment> {
  const { rows } = await transaction.query<PaymentRow>(
    `INSERT INTO payments (tenant, id, currency_code, amount, payment_method, capture_method,
       merchant_reference, description, metadata, status, version, authorized, captured,
       capturing, refunded, refunding, canceling, decline_code)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
     RETURNING *`,
    [
      tenant,
      id,
      terms.currencyCode,
      terms.amount,
      terms.paymentMethod,
      terms.captureMethod,
      terms.merchantReference,
      terms.description,
      terms.metadata,
      initialState.status,
      initialState.version,
      initialState.authorized,
      initialState.captured,
      initialState.capturing,
      initialState.refunded,
      initialState.refunding,
      initialState.canceling,
      initialState.declineCode,
    ],
  );
  const payment = paymentOf(only(rows));
  await appendEvent(transaction, payment);
  return payment;
}

/** Stores the new state of a locked payment, and its event if that is a transition. */
export async function updatePayment(
  transaction: PoolClient,
  before: Payment,
  after: Payment,
): Promise<Payment> {
  const { rows } = await transaction.query<PaymentRow>(
    `UPDATE payments SET status = $3, version = $4, authorized = $5, captured = $6,
       capturing = $7, refunded = $8, refunding = $9, canceling = $10, decline_code = $11,
       update_time = CASE WHEN version = $4 THEN update_time ELSE statement_timestamp() END
     WHERE tenant = $1 AND id = $2
     RETURNING *`,
    [
      after.tenant,
      after.id,
      after.status,
      after.version,
      after.authorized,
      after.captured,
      after.capturing,
      after.refunded,
      after.refunding,
      after.canceling,
      after.declineCode,
    ],
  );
  const stored = paymentOf(only(rows));
  if (after.version !== before.version) {
    await appendEvent(transaction, stored);
  }
  return stored;
}

/** Lists a tenant's payments, the newest first; one row more than the page holds, if there is one. */
export async function listPayments(
  pool: Pool,
  filter: {
    readonly tenant: string;
    readonly merchantReference?: string;
    readonly status?: PaymentStatus;
  },
  page: Page,
): Promise<readonly Payment[]> {
  const { rows } = await pool.query<PaymentRow>(
    `SELECT * FROM payments
     WHERE tenant = $1
       AND ($2::text IS NULL OR merchant_reference = $2)
       AND ($3::text IS NULL OR status = $3)
       AND ($4::bigint IS NULL OR sequence < $4)
     ORDER BY sequence DESC LIMIT $5`,
    [filter.tenant, filter.merchantReference, filter.status, page.cursor, page.size + 1],
  );
  return rows.map(paymentOf);
}

/** Only after the transaction has written the payment: readers of events count on it. */
async function appendEvent(transaction: PoolClient, payment: Payment): Promise<void> {
  await transaction.query(
    "INSERT INTO payment_events (tenant, payment_id, version, payment) VALUES ($1, $2, $3, $4)",
    [payment.tenant, payment.id, payment.version, toBinary(PaymentSchema, paymentMessage(payment))],
  );
}

function paymentOf(row: PaymentRow): Payment {
  return {
    tenant: row.tenant,
    id: row.id,
    sequence: BigInt(row.sequence),
    currencyCode: row.currency_code,
    amount: BigInt(row.amount),
    paymentMethod: row.payment_method,
    captureMethod: row.capture_method,
    merchantReference: row.merchant_reference,
    description: row.description,
    metadata: row.metadata,
    status: row.status,
    version: BigInt(row.version),
    authorized: BigInt(row.authorized),
    captured: BigInt(row.captured),
    capturing: BigInt(row.capturing),
    refunded: BigInt(row.refunded),
    refunding: BigInt(row.refunding),
    canceling: row.canceling,
    declineCode: row.decline_code,
    createTime: row.create_time,
    updateTime: row.update_time,
  };
}
