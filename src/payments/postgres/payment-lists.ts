import type { Pool } from "pg";
import type { Page } from "../../runtime/paging.js";
import { createParameters, microsOf, type Parameters, timeOf } from "../../runtime/parameters.js";
import type { Payment, PaymentStatus } from "../payment.js";
import { PAYMENT_COLUMNS, type PaymentRow, paymentOf } from "./payments.js";

// A list reads what it shows and little more, among any number of payments. One
// column at most narrows what is read, by the index that begins with it: see the
// migration of these indexes, also for the collations. What else is asked for is
// looked at in the rows that come so, as many as a page may cost; a page that is
// not full by then says where the next one goes on.

/** The payments to list: all that is given has to hold. */
export interface PaymentFilter {
  readonly tenant: string;
  readonly merchantReference?: string;
  readonly status?: PaymentStatus;
  readonly amount?: AmountFilter;
  /** In microseconds since 1970. */
  readonly createdFromMicros?: bigint;
  readonly createdBeforeMicros?: bigint;
}

/** Amounts of different currencies do not compare, so there is no range without one. */
export interface AmountFilter {
  readonly currencyCode: string;
  readonly fromMinorUnits: bigint;
  readonly toMinorUnits: bigint;
}

/** The place of a payment among those of its tenant. */
export interface PaymentCursor {
  readonly createMicros: bigint;
  readonly sequence: bigint;
}

/** A page of payments, the newest first. */
export interface PaymentPage {
  readonly payments: readonly Payment[];
  /** The place to go on from; undefined where nothing is left. */
  readonly next?: PaymentCursor;
}

/** The number of rows that are looked at at once: some milliseconds of work. */
const LOOKED_AT = 1_000;

/** The number of times that a page looks at so many rows before it ends as it is. */
const LOOKS = 10;

type ListedRow = PaymentRow & { readonly create_micros: string };

const COLUMNS = `${PAYMENT_COLUMNS}, ${microsOf("create_time")} AS create_micros`;
const NEWEST_FIRST = "ORDER BY create_time DESC, sequence DESC";

/** Lists a tenant's payments. */
export async function listPayments(
  pool: Pool,
  filter: PaymentFilter,
  page: Page<PaymentCursor>,
): Promise<PaymentPage> {
  const { merchantReference, amount } = filter;
  if (merchantReference === undefined && amount !== undefined) {
    const few = await listFewOfAmount(pool, { ...filter, amount }, page);
    if (few !== undefined) {
      return few;
    }
  }
  return isReadByIndex(filter)
    ? listInOrder(pool, filter, page)
    : listByLooking(pool, filter, page);
}

/** True if the index alone finds what is asked for. */
function isReadByIndex({ merchantReference, status, amount }: PaymentFilter): boolean {
  return amount === undefined && (merchantReference === undefined || status === undefined);
}

async function listInOrder(
  pool: Pool,
  filter: PaymentFilter,
  page: Page<PaymentCursor>,
): Promise<PaymentPage> {
  const parameters = createParameters();
  const { rows } = await pool.query<ListedRow>(
    `SELECT ${COLUMNS} FROM payments
     WHERE ${byIndex(filter, parameters)} AND ${within(filter, page.cursor, parameters)}
     ${NEWEST_FIRST} LIMIT ${parameters.add(page.size + 1)}`,
    [...parameters.values],
  );
  return pageOf(rows, page);
}

/**
 * Sorts the payments of the amounts that are asked for, where there are few of
 * them. Undefined where there are many: then they are found among the newest.
 */
async function listFewOfAmount(
  pool: Pool,
  filter: PaymentFilter & { readonly amount: AmountFilter },
  page: Page<PaymentCursor>,
): Promise<PaymentPage | undefined> {
  const counting = createParameters();
  const counted = await pool.query<{ count: number }>(
    `SELECT count(*)::int FROM (
       SELECT FROM payments WHERE ${byAmount(filter, counting)}
       ORDER BY amount LIMIT ${counting.add(LOOKED_AT + 1)}) AS found`,
    [...counting.values],
  );
  if ((counted.rows[0]?.count ?? 0) > LOOKED_AT) {
    return undefined;
  }
  const parameters = createParameters();
  const { rows } = await pool.query<ListedRow>(
    `WITH found AS MATERIALIZED (
       SELECT ${COLUMNS} FROM payments WHERE ${byAmount(filter, parameters)} ORDER BY amount)
     SELECT * FROM found
     WHERE ${ofStatus(filter, parameters)} AND ${within(filter, page.cursor, parameters)}
     ${NEWEST_FIRST} LIMIT ${parameters.add(page.size + 1)}`,
    [...parameters.values],
  );
  return pageOf(rows, page);
}

/** Looks at one part of the rows after the other, until the page is full or has cost enough. */
async function listByLooking(
  pool: Pool,
  filter: PaymentFilter,
  { size, cursor }: Page<PaymentCursor>,
): Promise<PaymentPage> {
  const found: ListedRow[] = [];
  let next = cursor;
  for (let looks = 0; looks < LOOKS; looks += 1) {
    const rows = await lookAt(pool, filter, { size: size - found.length, cursor: next });
    found.push(...rows.filter(({ matches }) => matches));
    if (found.length > size) {
      return pageOf(found, { size });
    }
    const last = rows.at(-1);
    if (last === undefined || !last.goes_on) {
      return pageOf(found, { size });
    }
    next = cursorOf(last);
  }
  return { payments: found.map(paymentOf), ...(next === undefined ? {} : { next }) };
}

/** A row that matches, or the last one that was looked at. */
interface LookedAtRow extends ListedRow {
  readonly matches: boolean;
  /** As many rows were looked at as may be, so there may be more. */
  readonly goes_on: boolean;
}

async function lookAt(
  pool: Pool,
  filter: PaymentFilter,
  { size, cursor }: { readonly size: number; readonly cursor: PaymentCursor | undefined },
): Promise<readonly LookedAtRow[]> {
  const parameters = createParameters();
  const { rows } = await pool.query<LookedAtRow>(
    `WITH looked_at AS MATERIALIZED (
       SELECT ${COLUMNS},
         ${ofStatus(filter, parameters)} AND ${ofAmount(filter, parameters)} AS matches
       FROM payments
       WHERE ${byIndex(filter, parameters)} AND ${within(filter, cursor, parameters)}
       ${NEWEST_FIRST} LIMIT ${LOOKED_AT}
     ), last AS (SELECT create_time, sequence FROM looked_at ORDER BY create_time, sequence LIMIT 1)
     SELECT *, (SELECT count(*) FROM looked_at) = ${LOOKED_AT} AS goes_on FROM looked_at
     WHERE matches OR (create_time, sequence) = (SELECT create_time, sequence FROM last)
     ${NEWEST_FIRST} LIMIT ${parameters.add(size + 2)}`,
    [...parameters.values],
  );
  return rows;
}

/** What one index finds in the order of the list. */
function byIndex(
  { tenant, merchantReference, status }: PaymentFilter,
  { add }: Parameters,
): string {
  if (merchantReference !== undefined) {
    return `tenant COLLATE "POSIX" = ${add(tenant)} AND merchant_reference = ${add(merchantReference)}
      AND merchant_reference <> ''`;
  }
  return status === undefined
    ? `tenant COLLATE "C" = ${add(tenant)}`
    : `tenant COLLATE "POSIX" = ${add(tenant)} AND status = ${add(status)}`;
}

function byAmount(
  filter: PaymentFilter & { readonly amount: AmountFilter },
  parameters: Parameters,
): string {
  return `tenant COLLATE "POSIX" = ${parameters.add(filter.tenant)} AND ${ofAmount(filter, parameters)}`;
}

function ofAmount({ amount }: PaymentFilter, { add }: Parameters): string {
  return amount === undefined
    ? "true"
    : `currency_code = ${add(amount.currencyCode)} AND amount >= ${add(amount.fromMinorUnits)}
       AND amount <= ${add(amount.toMinorUnits)}`;
}

function ofStatus({ status }: PaymentFilter, { add }: Parameters): string {
  return status === undefined ? "true" : `status = ${add(status)}`;
}

/**
 * The part of the order that the page is read from. After a page its end bounds
 * the next one: with the range's own bound beside it Postgres would begin there.
 */
function within(
  { createdFromMicros, createdBeforeMicros }: PaymentFilter,
  cursor: PaymentCursor | undefined,
  { add }: Parameters,
): string {
  const bounds: string[] = [];
  if (createdFromMicros !== undefined) {
    bounds.push(`create_time >= ${timeOf(add(createdFromMicros))}`);
  }
  if (cursor !== undefined) {
    bounds.push(
      `(create_time, sequence) < (${timeOf(add(cursor.createMicros))}, ${add(cursor.sequence)})`,
    );
  } else if (createdBeforeMicros !== undefined) {
    bounds.push(`create_time < ${timeOf(add(createdBeforeMicros))}`);
  }
  return bounds.length === 0 ? "true" : bounds.join(" AND ");
}

/** A page of rows, of which there is one more than it holds unless it is the last. */
function pageOf(
  rows: readonly ListedRow[],
  { size }: Pick<Page<PaymentCursor>, "size">,
): PaymentPage {
  const kept = rows.slice(0, size);
  const last = rows.length > size ? kept.at(-1) : undefined;
  return {
    payments: kept.map(paymentOf),
    ...(last === undefined ? {} : { next: cursorOf(last) }),
  };
}

function cursorOf({ create_micros, sequence }: ListedRow): PaymentCursor {
  return { createMicros: BigInt(create_micros), sequence: BigInt(sequence) };
}
