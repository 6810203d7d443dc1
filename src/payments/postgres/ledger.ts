import type { Pool } from "pg";
import type { Page } from "../../runtime/paging.js";
import { createParameters } from "../../runtime/parameters.js";
import type { Account, LedgerEntry } from "../ledger.js";
import { mustExist, ofTenantOrPayment } from "./rows.js";

/** The constraints of the table vouch for the closed sets; pg gives bigint as text. */
export interface LedgerRow {
  readonly id: string;
  readonly transaction_id: string;
  readonly payment_id: string;
  readonly account: Account;
  readonly currency_code: string;
  readonly minor_units: string;
  readonly create_time: Date;
}

export interface LedgerFilter {
  readonly tenant: string;
  /** Absent: all payments. */
  readonly paymentId?: string;
}

/**
 * Lists a tenant's entries as they were written; one row more than the page
 * holds, if there is one. With `settled` none as long as a transaction may still
 * add to the page: as in events.ts, whoever took a lower id than one that was
 * visible had written before, and has a lower transaction id than one taken then.
 */
export async function listLedgerEntries(
  pool: Pool,
  filter: LedgerFilter,
  { cursor, size, settled }: Page<bigint> & { readonly settled?: string },
): Promise<readonly LedgerEntry[]> {
  const { add, values } = createParameters();
  const { rows } = await pool.query<LedgerRow>(
    `SELECT * FROM ledger_entries
     WHERE ${ofTenantOrPayment(filter, add)}
       ${cursor === undefined ? "" : `AND id > ${add(cursor)}`}
       ${settled === undefined ? "" : `AND pg_snapshot_xmin(pg_current_snapshot()) >= ${add(settled)}::xid8`}
     ORDER BY id LIMIT ${add(size + 1)}`,
    [...values],
  );
  return rows.map(entryOf);
}

export function entryOf(row: LedgerRow): LedgerEntry {
  return {
    id: BigInt(row.id),
    transactionId: row.transaction_id,
    paymentId: row.payment_id,
    account: row.account,
    currencyCode: row.currency_code,
    minorUnits: BigInt(row.minor_units),
    createTime: row.create_time,
  };
}

/** A transaction id that is higher than that of whoever took an id before. */
export async function takeTransactionId(pool: Pool): Promise<string> {
  const { rows } = await pool.query<{ readonly id: string }>("SELECT pg_current_xact_id() AS id");
  return mustExist(rows[0], "a transaction id").id;
}
