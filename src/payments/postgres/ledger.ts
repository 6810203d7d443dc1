import type { Pool, PoolClient } from "pg";
import { type Account, bookingsOf, type LedgerEntry } from "../ledger.js";
import type { Operated } from "../operation.js";
import type { Page } from "../paging.js";

/** The constraints of the table vouch for the closed sets; pg gives bigint as text. */
interface LedgerRow {
  readonly id: string;
  readonly transaction_id: string;
  readonly payment_id: string;
  readonly account: Account;
  readonly currency_code: string;
  readonly minor_units: string;
  readonly create_time: Date;
}

/** Books an approved operation, all its entries in one statement. */
export async function book(
  transaction: PoolClient,
  { operation, payment }: Operated,
): Promise<void> {
  const bookings = bookingsOf(operation, payment);
  if (bookings.length === 0) {
    return;
  }
  await transaction.query(
    `INSERT INTO ledger_entries
       (tenant, transaction_id, payment_id, currency_code, account, minor_units)
     SELECT $1, $2, $3, $4, account, minor_units
     FROM unnest($5::text[], $6::bigint[]) AS booking (account, minor_units)`,
    [
      operation.tenant,
      operation.id,
      operation.paymentId,
      operation.currencyCode,
      bookings.map(({ account }) => account),
      bookings.map(({ minorUnits }) => minorUnits),
    ],
  );
}

/** Lists a tenant's entries as they were written; one row more than the page holds, if there is one. */
export async function listLedgerEntries(
  pool: Pool,
  filter: { readonly tenant: string; readonly paymentId?: string },
  page: Page,
): Promise<readonly LedgerEntry[]> {
  const { rows } = await pool.query<LedgerRow>(
    `SELECT * FROM ledger_entries
     WHERE tenant = $1
       AND ($2::text IS NULL OR payment_id = $2)
       AND ($3::bigint IS NULL OR id > $3)
     ORDER BY id LIMIT $4`,
    [filter.tenant, filter.paymentId, page.cursor, page.size + 1],
  );
  return rows.map((row) => ({
    id: BigInt(row.id),
    transactionId: row.transaction_id,
    paymentId: row.payment_id,
    account: row.account,
    currencyCode: row.currency_code,
    minorUnits: BigInt(row.minor_units),
    createTime: row.create_time,
  }));
}
