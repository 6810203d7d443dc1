import type { PoolClient } from "pg";
import type { PaymentStatus } from "../../payments/payment.js";
import type { TimeSpan } from "../../payments/processor.js";
import type { OwnPayment } from "./compare.js";

/** Rows of one query. */
const BATCH_ROWS = 1_000;

interface OwnRow {
  readonly tenant: string;
  readonly id: string;
  readonly status: PaymentStatus;
  readonly currency_code: string;
  readonly authorized: string;
  readonly captured: string;
  readonly refunded: string;
  readonly processor_reference: string;
  readonly receivable: string;
  readonly is_moving: boolean;
}

const SELECT_OWN = `SELECT tenant, id, status, currency_code, authorized, captured, refunded,
    processor_reference,
    coalesce((SELECT sum(minor_units) FROM ledger_entries AS l
      WHERE l.tenant = p.tenant AND l.payment_id = p.id
        AND l.account = 'processor_receivable'), 0) AS receivable,
    status IN ('PROCESSING', 'UNKNOWN') OR capturing > 0 OR refunding > 0 OR canceling
      OR update_time >= $1 AS is_moving
  FROM payments AS p`;

/**
 * Reads the payments that were created in a span of time, in the order of their
 * names, as they were at one moment.
 *
 * @param movedSince since when a payment that has changed counts as moving
 */
export async function* readOwnPayments(
  client: PoolClient,
  { since, until }: TimeSpan,
  movedSince: Date,
): AsyncGenerator<OwnPayment> {
  let last: readonly [tenant: string, id: string] = ["", ""];
  for (;;) {
    const { rows } = await client.query<OwnRow>(
      `${SELECT_OWN} WHERE create_time >= $2 AND create_time < $3 AND (tenant, id) > ($4, $5)
       ORDER BY tenant, id LIMIT ${BATCH_ROWS}`,
      [movedSince, since, until, ...last],
    );
    yield* rows.map(ownPaymentOf);
    const lastRow = rows.at(-1);
    if (lastRow === undefined || rows.length < BATCH_ROWS) {
      return;
    }
    last = [lastRow.tenant, lastRow.id];
  }
}

/** Reads payments by their ids, whenever they were created. */
export async function readOwnByIds(
  client: PoolClient,
  ids: readonly string[],
  movedSince: Date,
): Promise<readonly OwnPayment[]> {
  const found: OwnPayment[] = [];
  for (let start = 0; start < ids.length; start += BATCH_ROWS) {
    const { rows } = await client.query<OwnRow>(`${SELECT_OWN} WHERE id = ANY($2)`, [
      movedSince,
      ids.slice(start, start + BATCH_ROWS),
    ]);
    found.push(...rows.map(ownPaymentOf));
  }
  return found;
}

function ownPaymentOf(row: OwnRow): OwnPayment {
  return {
    tenant: row.tenant,
    id: row.id,
    status: row.status,
    currencyCode: row.currency_code,
    authorized: BigInt(row.authorized),
    captured: BigInt(row.captured),
    refunded: BigInt(row.refunded),
    reference: row.processor_reference,
    receivable: BigInt(row.receivable),
    isMoving: row.is_moving,
  };
}
