import type { Pool } from "pg";
import { bigint, columns, text } from "../../runtime/columns.js";
import { createParameters } from "../../runtime/parameters.js";
import type { StoredEvent } from "./events.js";
import { ASKED, nameColumns, ofTenantOrPayment, type RowName } from "./rows.js";

/** An endpoint with something to do. */
export interface EndpointWork extends RowName {
  /** The event up to which its queues are filled. */
  readonly lastEventId: bigint;
  readonly hasEvents: boolean;
  readonly hasDue: boolean;
}

/** One attempt to deliver the next event of a payment. Others leave it alone for the length of its lease. */
export interface ClaimedDelivery {
  readonly endpoint: RowName;
  readonly paymentId: string;
  readonly event: StoredEvent;
  /** Tells the attempt from those before and after it. */
  readonly attempt: bigint;
  /** Failures of the event before this attempt. */
  readonly failures: number;
}

/**
 * Adds endpoints that are new. They begin after the events that are there: each
 * event that is written from now on has a higher id.
 */
export async function addEndpoints(
  pool: Pool,
  endpoints: readonly (RowName & { readonly url: URL })[],
): Promise<void> {
  await pool.query(
    `INSERT INTO webhook_endpoints (tenant, id, origin, last_event_id)
     SELECT tenant, id, origin, coalesce(
       (SELECT e.id FROM payment_events AS e WHERE e.tenant = added.tenant
        ORDER BY e.id DESC LIMIT 1), 0)
     FROM unnest($1::text[], $2::text[], $3::text[]) AS added (tenant, id, origin)
     ON CONFLICT (tenant, id) DO NOTHING`,
    [
      ...nameColumns(endpoints),
      ...columns(
        endpoints,
        text(({ url }) => url.origin),
      ),
    ],
  );
}

/** Finds which of the endpoints have new events, or deliveries that are due. */
export async function findWork(
  pool: Pool,
  endpoints: readonly RowName[],
): Promise<readonly EndpointWork[]> {
  const { rows } = await pool.query<{
    readonly tenant: string;
    readonly id: string;
    readonly last_event_id: string;
    readonly has_events: boolean;
    readonly has_due: boolean;
  }>(
    `SELECT tenant, id, last_event_id,
       EXISTS (SELECT FROM payment_events AS e
         WHERE e.tenant = w.tenant AND e.id > w.last_event_id) AS has_events,
       EXISTS (SELECT FROM webhook_queues AS q
         WHERE q.tenant COLLATE "C" = w.tenant AND q.endpoint_id = w.id
           AND q.next_attempt_time <= statement_timestamp()) AS has_due
     FROM ${ASKED} JOIN webhook_endpoints AS w USING (tenant, id)`,
    nameColumns(endpoints),
  );
  return rows.map(({ tenant, id, last_event_id, has_events, has_due }) => ({
    tenant,
    id,
    lastEventId: BigInt(last_event_id),
    hasEvents: has_events,
    hasDue: has_due,
  }));
}

/** An event to be delivered. */
export type QueuedEvent = Pick<StoredEvent, "id" | "createTime"> & { readonly paymentId: string };

/**
 * Puts events into the queues of their payments, and moves the endpoint on to
 * the last one that was looked at. Returns false, and does nothing, where another
 * process has moved it on.
 */
export async function fillQueues(
  pool: Pool,
  { tenant, id }: RowName,
  page: {
    readonly after: bigint;
    readonly through: bigint;
    readonly events: readonly QueuedEvent[];
  },
): Promise<boolean> {
  const { after, through, events } = page;
  // The endpoint's row is locked before those of queues, so two of its fillers never wait for each other.
  const { rows } = await pool.query<{ moved: boolean }>(
    `WITH moved AS (
       UPDATE webhook_endpoints SET last_event_id = $4
       WHERE tenant = $1 AND id = $2 AND last_event_id = $3 RETURNING true
     ), filled AS (
       INSERT INTO webhook_queues (tenant, endpoint_id, payment_id, event_id, event_time, last_event_id)
       SELECT $1, $2, payment_id, min(event_id), min(event_time), max(event_id)
       FROM moved, unnest($5::text[], $6::bigint[], $7::timestamptz[])
         AS new (payment_id, event_id, event_time)
       GROUP BY payment_id
       ON CONFLICT (tenant, endpoint_id, payment_id)
         DO UPDATE SET last_event_id = greatest(webhook_queues.last_event_id, excluded.last_event_id)
     )
     SELECT EXISTS (SELECT FROM moved) AS moved`,
    [
      ...[tenant, id, after, through],
      ...columns(
        events,
        text(({ paymentId }) => paymentId),
        bigint((event) => event.id),
      ),
      events.map(({ createTime }) => createTime),
    ],
  );
  return rows[0]?.moved === true;
}

/** Claims deliveries that are due and that nobody else is about to make. */
export async function claimDeliveries(
  pool: Pool,
  endpoint: RowName,
  { limit, leaseMs }: { readonly limit: number; readonly leaseMs: number },
): Promise<readonly ClaimedDelivery[]> {
  const { rows } = await pool.query<{
    readonly payment_id: string;
    readonly event_id: string;
    readonly attempts: string;
    readonly failures: number;
    readonly payment: Buffer;
    readonly create_time: Date;
  }>(
    // Rows are found again by all of their names: with the tenant as a parameter,
    // a planner without statistics reads all rows of the endpoint.
    `WITH due AS MATERIALIZED (
       SELECT tenant, endpoint_id, payment_id FROM webhook_queues
       WHERE tenant COLLATE "C" = $1 AND endpoint_id = $2
         AND next_attempt_time <= statement_timestamp()
       ORDER BY next_attempt_time LIMIT $3
       FOR UPDATE SKIP LOCKED
     ), claimed AS (
       UPDATE webhook_queues AS q
       SET attempts = attempts + 1,
         next_attempt_time = statement_timestamp() + $4 * interval '1 millisecond'
       FROM due WHERE (q.tenant, q.endpoint_id, q.payment_id)
         = (due.tenant, due.endpoint_id, due.payment_id)
       RETURNING q.tenant, q.payment_id, q.event_id, q.attempts, q.failures
     )
     SELECT claimed.*, e.payment, e.create_time
     FROM claimed JOIN payment_events AS e ON (e.tenant, e.id) = (claimed.tenant, claimed.event_id)`,
    [endpoint.tenant, endpoint.id, limit, leaseMs],
  );
  return rows.map((row) => ({
    endpoint,
    paymentId: row.payment_id,
    event: { id: BigInt(row.event_id), payment: row.payment, createTime: row.create_time },
    attempt: BigInt(row.attempts),
    failures: row.failures,
  }));
}

/** The row of a claimed delivery, as long as nobody has claimed it after its lease. */
const OWNED = `tenant = $1 AND endpoint_id = $2 AND payment_id = $3 AND event_id = $4
  AND attempts = $5`;

function nameOf({ endpoint, paymentId, event, attempt }: ClaimedDelivery): readonly unknown[] {
  return [endpoint.tenant, endpoint.id, paymentId, event.id, attempt];
}

/** Ends a delivery: the payment's next event is due, if there is one. */
export async function endDelivery(pool: Pool, delivery: ClaimedDelivery): Promise<void> {
  const ended = await pool.query(
    `DELETE FROM webhook_queues WHERE ${OWNED} AND last_event_id = event_id`,
    [...nameOf(delivery)],
  );
  if (ended.rowCount !== 0) {
    return;
  }
  // A statement of its own: the one before may have waited for an event that was just added.
  const { add, values } = createParameters();
  nameOf(delivery).forEach(add);
  const filter = { tenant: delivery.endpoint.tenant, paymentId: delivery.paymentId };
  await pool.query(
    `UPDATE webhook_queues AS q
     SET event_id = next.id, event_time = next.create_time, failures = 0, last_failure = '',
       next_attempt_time = statement_timestamp()
     FROM (SELECT id, create_time FROM payment_events
       WHERE ${ofTenantOrPayment(filter, add)} AND id > $4 ORDER BY id LIMIT 1) AS next
     WHERE ${OWNED} AND next.id <= q.last_event_id`,
    [...values],
  );
}

/** Puts a delivery off after a failure. */
export async function delayDelivery(
  pool: Pool,
  delivery: ClaimedDelivery,
  { delayMs, reason }: { readonly delayMs: number; readonly reason: string },
): Promise<void> {
  await pool.query(
    `UPDATE webhook_queues
     SET failures = failures + 1, last_failure = $6,
       next_attempt_time = statement_timestamp() + $7 * interval '1 millisecond'
     WHERE ${OWNED}`,
    [...nameOf(delivery), reason, delayMs],
  );
}

/** Gives a claimed delivery to whoever comes next, at once. */
export async function releaseDelivery(pool: Pool, delivery: ClaimedDelivery): Promise<void> {
  await pool.query(
    `UPDATE webhook_queues SET next_attempt_time = statement_timestamp() WHERE ${OWNED}`,
    [...nameOf(delivery)],
  );
}

/** Makes an event a dead letter, and goes on with the payment's next one. */
export async function giveUpDelivery(
  pool: Pool,
  delivery: ClaimedDelivery,
  reason: string,
): Promise<void> {
  // First: where the process ends between the two, the event is sent once more.
  await pool.query(
    `INSERT INTO webhook_dead_letters
       (tenant, endpoint_id, event_id, payment_id, failures, last_failure)
     SELECT tenant, endpoint_id, event_id, payment_id, failures + 1, $6
     FROM webhook_queues WHERE ${OWNED}
     ON CONFLICT (tenant, endpoint_id, event_id) DO UPDATE
       SET failures = excluded.failures, last_failure = excluded.last_failure,
         dead_time = excluded.dead_time`,
    [...nameOf(delivery), reason],
  );
  await endDelivery(pool, delivery);
}
