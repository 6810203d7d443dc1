import type { Pool } from "pg";
import type { Page } from "../../runtime/paging.js";
import { createParameters, microsOf, type Parameters, timeOf } from "../../runtime/parameters.js";
import type { Operation } from "../operation.js";
import { OPERATION_COLUMNS, type OperationRow, operationOf } from "./operations.js";

/** The refunds to list: all that is given has to hold. */
export interface RefundFilter {
  readonly tenant: string;
  readonly paymentId?: string;
  readonly state?: Operation["state"];
  /** In microseconds since 1970. */
  readonly begunFromMicros?: bigint;
  readonly begunBeforeMicros?: bigint;
}

/** The place of a refund among those of its tenant. */
export interface RefundCursor {
  readonly beginMicros: bigint;
  /** Of the operation. */
  readonly id: string;
}

export interface ListedRefund {
  readonly operation: Operation;
  /** Absent in some that older builds began. */
  readonly refundId?: string;
}

/** A page of refunds, those that began last first. */
export interface RefundPage {
  readonly refunds: readonly ListedRefund[];
  /** The place to go on from; undefined where nothing is left. */
  readonly next?: RefundCursor;
}

interface ListedRow extends OperationRow {
  readonly refund_id: string | null;
  readonly begin_micros: string;
}

/** Lists a tenant's refunds, each read by the index that finds it. */
export async function listRefunds(
  pool: Pool,
  filter: RefundFilter,
  { size, cursor }: Page<RefundCursor>,
): Promise<RefundPage> {
  const parameters = createParameters();
  const { rows } = await pool.query<ListedRow>(
    `SELECT ${OPERATION_COLUMNS}, refund_id, ${microsOf("begin_time")} AS begin_micros
     FROM operations
     WHERE kind = 'refund' AND ${byIndex(filter, parameters)} AND ${within(filter, cursor, parameters)}
     ORDER BY begin_time DESC, id DESC LIMIT ${parameters.add(size + 1)}`,
    [...parameters.values],
  );
  const kept = rows.slice(0, size);
  const last = rows.length > size ? kept.at(-1) : undefined;
  return {
    refunds: kept.map((row) => ({
      operation: operationOf(row),
      ...(row.refund_id === null ? {} : { refundId: row.refund_id }),
    })),
    ...(last === undefined
      ? {}
      : { next: { beginMicros: BigInt(last.begin_micros), id: last.id } }),
  };
}

/** What one index finds in the order of the list. A payment has few refunds, of whatever state. */
function byIndex({ tenant, paymentId, state }: RefundFilter, { add }: Parameters): string {
  const ofState = (column: string) => (state === undefined ? "" : ` AND ${column} = ${add(state)}`);
  if (paymentId !== undefined) {
    // As an expression, so that no other index finds it.
    return `tenant COLLATE "POSIX" = ${add(tenant)} AND payment_id = ${add(paymentId)}${ofState("state || ''")}`;
  }
  return state === undefined
    ? `tenant COLLATE "C" = ${add(tenant)}`
    : `tenant COLLATE "POSIX" = ${add(tenant)}${ofState("state")}`;
}

/** The part of the order that the page is read from: see the list of payments. */
function within(
  { begunFromMicros, begunBeforeMicros }: RefundFilter,
  cursor: RefundCursor | undefined,
  { add }: Parameters,
): string {
  const bounds =
    begunFromMicros === undefined ? [] : [`begin_time >= ${timeOf(add(begunFromMicros))}`];
  if (cursor !== undefined) {
    bounds.push(`(begin_time, id) < (${timeOf(add(cursor.beginMicros))}, ${add(cursor.id)})`);
  } else if (begunBeforeMicros !== undefined) {
    bounds.push(`begin_time < ${timeOf(add(begunBeforeMicros))}`);
  }
  return bounds.length === 0 ? "true" : bounds.join(" AND ");
}
