import type { Pool } from "pg";
import { decodeOutcome } from "../../idempotency/port/outcome.js";
import { type Scope, scopeHash } from "../../idempotency/port/scope.js";
import type {
  RecordEvent,
  RecordFilter,
  RecordPage,
  RecordState,
  StoredRecord,
} from "../../idempotency/port/store.js";
import { IS_HELD } from "./statements.js";

/** pg gives bigint as text. */
export interface RecordRow {
  readonly tenant: string;
  readonly scope_hash: Buffer;
  readonly operation: string | null;
  readonly idempotency_key: string | null;
  readonly state: RecordState;
  readonly fingerprint_version: number;
  readonly fingerprint: Buffer;
  readonly raw_hash: Buffer;
  readonly fencing_token: string;
  readonly claim_id: string;
  readonly attempts: number;
  readonly create_ms: number;
  readonly create_cursor: string;
  readonly claim_ms: number;
  readonly lease_remaining_ms: number;
  readonly complete_ms: number | null;
  readonly expire_ms: number | null;
  readonly outcome: Buffer | null;
  readonly unknown_reason: string | null;
}

interface EventRow {
  readonly event_ms: number;
  readonly type: RecordEvent["type"];
  readonly fencing_token: string;
  readonly detail: string;
}

const STATE = `CASE WHEN ${IS_HELD} THEN 'held' ELSE state END`;

const COLUMNS = `tenant, scope_hash, operation, idempotency_key, ${STATE} AS state,
  fingerprint_version, fingerprint, raw_hash, fencing_token, claim_id, attempts, outcome, unknown_reason,
  ${milliseconds("create_time")} AS create_ms, 
  to_char(create_time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS create_cursor,
  ${milliseconds("claim_time")} AS claim_ms,
  ${milliseconds("complete_time")} AS complete_ms, ${milliseconds("expire_time")} AS expire_ms,
  ${milliseconds("lease_until - clock_timestamp()")} AS lease_remaining_ms`;

/** One record and its events, the oldest first. */
export async function getRecord(pool: Pool, scope: Scope) {
  const key = [scope.tenant, scopeHash(scope)];
  const records = await pool.query<RecordRow>(
    `SELECT ${COLUMNS} FROM idempotency_records WHERE tenant = $1 AND scope_hash = $2`,
    key,
  );
  const row = records.rows[0];
  if (row === undefined) {
    return undefined;
  }
  const events = await pool.query<EventRow>(
    `SELECT ${milliseconds("event_time")} AS event_ms, type, fencing_token, detail
     FROM idempotency_events WHERE tenant = $1 AND scope_hash = $2 ORDER BY id`,
    key,
  );
  return { record: toRecord(row), events: events.rows.map(toEvent) };
}

/** A page of records, the newest first. The page token is the last row's place in that order. */
export async function listRecords(
  pool: Pool,
  { tenant, operation, state, pageSize, pageToken }: RecordFilter,
): Promise<RecordPage> {
  const { rows } = await pool.query<RecordRow>(
    `SELECT ${COLUMNS} FROM idempotency_records
     WHERE tenant = $1
       AND ($2::text IS NULL OR operation = $2)
       AND ($3::text IS NULL OR ${STATE} = $3)
       AND ($4::timestamptz IS NULL OR (create_time, scope_hash) < ($4, $5::bytea))
     ORDER BY create_time DESC, scope_hash DESC
     LIMIT $6`,
    [tenant, operation, state, ...parsePageToken(pageToken), pageSize + 1],
  );
  const page = rows.slice(0, pageSize);
  const last = page.at(-1);
  return {
    records: page.map(toRecord),
    ...(rows.length > pageSize && last !== undefined ? { nextPageToken: pageTokenOf(last) } : {}),
  };
}

function pageTokenOf({ create_cursor, scope_hash }: RecordRow): string {
  return Buffer.from(`${create_cursor} ${scope_hash.toString("hex")}`).toString("base64url");
}

function parsePageToken(token: string | undefined): [string | null, Buffer | null] {
  if (token === undefined) {
    return [null, null];
  }
  const text = Buffer.from(token, "base64url").toString();
  const match = /^(\d{4}-\d\d-\d\dT[\d:.]+Z) ([0-9a-f]{64})$/.exec(text);
  if (match?.[1] === undefined || match[2] === undefined || !isTime(match[1])) {
    throw new RangeError("page_token must be one that an earlier page returned");
  }
  return [match[1], Buffer.from(match[2], "hex")];
}

/** Returns true if a text is a valid time; Postgres would answer another with an error of its own. */
function isTime(text: string): boolean {
  const time = new Date(text);
  const seconds = "YYYY-MM-DDThh:mm:ss".length;
  return (
    !Number.isNaN(time.getTime()) && time.toISOString().slice(0, seconds) === text.slice(0, seconds)
  );
}

function milliseconds(expression: string): string {
  return `(extract(epoch FROM ${expression}) * 1000)::float8`;
}

function toEvent({ event_ms, type, fencing_token, detail }: EventRow): RecordEvent {
  return { timeMs: event_ms, type, fencingToken: BigInt(fencing_token), detail };
}

function toRecord(row: RecordRow): StoredRecord {
  return {
    tenant: row.tenant,
    ...(row.operation === null ? {} : { operation: row.operation }),
    ...(row.idempotency_key === null ? {} : { key: row.idempotency_key }),
    state: row.state,
    fingerprint: {
      version: row.fingerprint_version,
      canonical: row.fingerprint,
      raw: row.raw_hash,
    },
    fencingToken: BigInt(row.fencing_token),
    claimId: row.claim_id,
    attempts: row.attempts,
    createTimeMs: row.create_ms,
    claimTimeMs: row.claim_ms,
    ...(row.state === "executing" ? { leaseRemainingMs: row.lease_remaining_ms } : {}),
    ...(row.complete_ms === null ? {} : { completeTimeMs: row.complete_ms }),
    ...(row.expire_ms === null ? {} : { expireTimeMs: row.expire_ms }),
    ...(row.outcome === null ? {} : { outcome: decodeOutcome(row.outcome) }),
    ...(row.unknown_reason === null ? {} : { unknownReason: row.unknown_reason }),
  };
}
