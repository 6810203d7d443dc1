import type { Pool } from "pg";
import { createParameters } from "../../runtime/parameters.js";

/** How much waits, and for how long. */
export interface WebhookBacklog {
  /** Payments with events that an endpoint has yet to get; one of two endpoints counts as one. */
  readonly pending: number;
  /** The age of the oldest of these events. Milliseconds; 0 if there are none. */
  readonly oldestMs: number;
  readonly dead: number;
}

export async function readBacklog(pool: Pool): Promise<WebhookBacklog> {
  const { rows } = await pool.query<{ pending: string; oldest_ms: number; dead: string }>(
    `SELECT count(*) AS pending,
       coalesce(extract(epoch FROM statement_timestamp() - min(event_time)) * 1000, 0)::float8
         AS oldest_ms,
       (SELECT count(*) FROM webhook_dead_letters) AS dead
     FROM webhook_queues`,
  );
  const [row] = rows;
  return {
    pending: Number(row?.pending ?? 0),
    oldestMs: row?.oldest_ms ?? 0,
    dead: Number(row?.dead ?? 0),
  };
}

/** Which deliveries are meant; what is absent leaves the choice open. */
export interface LetterFilter {
  readonly tenant?: string | undefined;
  readonly endpointId?: string | undefined;
  readonly eventId?: bigint | undefined;
}

/** An event that is not delivered: the next one of its payment, or a dead letter. */
export interface WebhookLetter {
  readonly state: "pending" | "dead";
  readonly tenant: string;
  readonly endpoint: string;
  /** Scheme, host and port of the endpoint. */
  readonly origin: string;
  readonly event: string;
  readonly payment: string;
  readonly failures: number;
  readonly lastFailure: string;
  /** When it is sent next, or when it was given up. */
  readonly time: string;
}

/** Lists what is not delivered, the oldest first, dead letters before what is pending. */
export async function listLetters(
  pool: Pool,
  {
    state,
    limit,
    ...filter
  }: LetterFilter & { readonly state?: WebhookLetter["state"] | undefined; readonly limit: number },
): Promise<readonly WebhookLetter[]> {
  const { add, values } = createParameters();
  const where = conditions(filter, add);
  const selected = (of: WebhookLetter["state"], table: string, time: string) =>
    state === undefined || state === of
      ? [
          `SELECT '${of}' AS state, tenant, endpoint_id, event_id, payment_id, failures, last_failure,
             ${time} AS time FROM ${table} WHERE ${where}`,
        ]
      : [];
  const { rows } = await pool.query<{
    readonly state: WebhookLetter["state"];
    readonly tenant: string;
    readonly endpoint_id: string;
    readonly origin: string;
    readonly event_id: string;
    readonly payment_id: string;
    readonly failures: number;
    readonly last_failure: string;
    readonly time: Date;
  }>(
    `SELECT letters.*, w.origin
     FROM (${[
       ...selected("dead", "webhook_dead_letters", "dead_time"),
       ...selected("pending", "webhook_queues", "next_attempt_time"),
     ].join(" UNION ALL ")}) AS letters
     JOIN webhook_endpoints AS w ON (w.tenant, w.id) = (letters.tenant, letters.endpoint_id)
     ORDER BY state, event_id, endpoint_id LIMIT ${add(limit)}`,
    [...values],
  );
  return rows.map((row) => ({
    state: row.state,
    tenant: row.tenant,
    endpoint: row.endpoint_id,
    origin: row.origin,
    event: row.event_id,
    payment: row.payment_id,
    failures: row.failures,
    lastFailure: row.last_failure,
    time: row.time.toISOString(),
  }));
}

/**
 * Has dead letters sent again, and after each the events of its payment that
 * still wait: some may come twice, all in their order. Returns how many they are.
 */
export async function resendLetters(pool: Pool, filter: LetterFilter): Promise<number> {
  const { add, values } = createParameters();
  const { rows } = await pool.query<{ resent: string }>(
    `WITH resent AS (
       DELETE FROM webhook_dead_letters WHERE ${conditions(filter, add)}
       RETURNING tenant, endpoint_id, payment_id, event_id
     ), queued AS (
       INSERT INTO webhook_queues AS q
         (tenant, endpoint_id, payment_id, event_id, event_time, last_event_id)
       SELECT tenant, endpoint_id, r.payment_id, min(event_id), min(create_time), max(event_id)
       FROM resent AS r JOIN payment_events AS e USING (tenant) WHERE e.id = r.event_id
       GROUP BY tenant, endpoint_id, r.payment_id
       ON CONFLICT (tenant, endpoint_id, payment_id) DO UPDATE
       SET event_id = least(q.event_id, excluded.event_id),
         event_time = least(q.event_time, excluded.event_time),
         last_event_id = greatest(q.last_event_id, excluded.last_event_id),
         failures = 0, last_failure = '', next_attempt_time = statement_timestamp()
     )
     SELECT count(*) AS resent FROM resent`,
    [...values],
  );
  return Number(rows[0]?.resent ?? 0);
}

function conditions(
  { tenant, endpointId, eventId }: LetterFilter,
  add: (value: unknown) => string,
): string {
  const all = [
    ...(tenant === undefined ? [] : [`tenant = ${add(tenant)}`]),
    ...(endpointId === undefined ? [] : [`endpoint_id = ${add(endpointId)}`]),
    ...(eventId === undefined ? [] : [`event_id = ${add(eventId)}`]),
  ];
  return all.length === 0 ? "true" : all.join(" AND ");
}
