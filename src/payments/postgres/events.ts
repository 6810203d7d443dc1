import type { Pool } from "pg";
import { bigint, bytea, columns } from "../../runtime/columns.js";
import { createParameters } from "../../runtime/parameters.js";
import type { Statement } from "../../runtime/statements.js";
import { encodePayment } from "../messages.js";
import type { Payment } from "../payment.js";
import { nameColumns, ofTenantOrPayment } from "./rows.js";

// Events are read in the order of their ids. A payment's ids rise with its
// versions, since each is taken under the lock on the payment. But an id is
// taken before its transaction commits, so a lower one may appear after a
// higher one was seen. What rules that out is the order of two steps: a
// transaction writes the payment, and with it gets a transaction id, before it
// takes an event id. So whoever took an id below one that is visible now has a
// transaction id below one that is taken now; once all transactions below that
// have ended, nothing can appear there any more.
//
// Postgres tells of transactions of the whole server: one that has written
// anything, in any of its databases, holds up events until it ends. Transaction
// ids are compared while a range is read and never kept, since a database that
// is restored from a dump begins them anew.

export interface StoredEvent {
  readonly id: bigint;
  /** A serialized payonce.payments.v1.Payment. */
  readonly payment: Uint8Array;
  readonly createTime: Date;
}

/**
 * Stores the events of payments that have just made a transition. Only in a
 * transaction that has written something before: see above.
 */
export function appendEvents(payments: readonly Payment[]): Statement {
  return {
    name: "payment_events_append",
    text: `INSERT INTO payment_events (tenant, payment_id, version, payment)
     SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bytea[])`,
    values: [
      ...nameColumns(payments),
      ...columns(
        payments,
        bigint(({ version }) => version),
        bytea(encodePayment),
      ),
    ],
    rows: payments.length,
  };
}

export interface EventFilter {
  readonly tenant: string;
  /** Absent: all payments. */
  readonly paymentId?: string;
}

/** Ids of which some are visible, and others may still be in transactions under way. */
export interface EventRange {
  readonly after: bigint;
  readonly last: bigint;
  /** Every transaction that took an id of the range has a lower transaction id. */
  readonly transactionId: string;
}

/** pg gives bigint as text. */
interface EventRow {
  readonly id: string;
  readonly payment: Buffer;
  readonly create_time: Date;
}

/** Finds the next events after an id, about `limit` of them. Undefined if there are none. */
export async function findEventRange(
  pool: Pool,
  filter: EventFilter,
  { after, limit }: { readonly after: bigint; readonly limit: number },
): Promise<EventRange | undefined> {
  const { add, values } = createParameters();
  // HAVING: who finds nothing takes no transaction id.
  const { rows } = await pool.query<{ last: string; transaction_id: string }>(
    `SELECT max(id) AS last, pg_current_xact_id() AS transaction_id
     FROM (
       SELECT id FROM payment_events
       WHERE ${ofTenantOrPayment(filter, add)} AND id > ${add(after)}
       ORDER BY id LIMIT ${add(limit)}
     ) AS visible
     HAVING count(*) > 0`,
    [...values],
  );
  const [row] = rows;
  return row && { after, last: BigInt(row.last), transactionId: row.transaction_id };
}

/**
 * Lists the first events of a range, at most `limit`; none as long as a
 * transaction may still add to the range.
 */
export async function listSettledEvents(
  pool: Pool,
  filter: EventFilter,
  { after, last, transactionId, limit }: EventRange & { readonly limit: number },
): Promise<readonly StoredEvent[]> {
  const { add, values } = createParameters();
  const { rows } = await pool.query<EventRow>(
    `SELECT id, payment, create_time FROM payment_events
     WHERE ${ofTenantOrPayment(filter, add)} AND id > ${add(after)} AND id <= ${add(last)}
       AND pg_snapshot_xmin(pg_current_snapshot()) >= ${add(transactionId)}::xid8
     ORDER BY id LIMIT ${add(limit)}`,
    [...values],
  );
  return rows.map(eventOf);
}

export async function findEvent(
  pool: Pool,
  { tenant, id }: { readonly tenant: string; readonly id: bigint },
): Promise<StoredEvent | undefined> {
  const { rows } = await pool.query<EventRow>(
    "SELECT id, payment, create_time FROM payment_events WHERE tenant = $1 AND id = $2",
    [tenant, id],
  );
  return rows[0] && eventOf(rows[0]);
}

function eventOf({ id, payment, create_time }: EventRow): StoredEvent {
  return { id: BigInt(id), payment, createTime: create_time };
}
