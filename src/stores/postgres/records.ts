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
import { createParameters } from "../../runtime/parameters.js";
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
     FROM idempotency_events WHERE tenant COLLATE "C" = $1 AND scope_hash = $2 ORDER BY id`,
    key,
  );
  return { record: toRecord(row), events: events.rows.map(toEvent) };
}

/**
 * The number of records that a page of one operation, or of records that are
 * completed, looks at: no index finds these, for it would cost every call. A page
 * that is not full by then says where the next one goes on.
 */
const LOOKED_AT = 10_000;

const NEWEST_FIRST = "ORDER BY create_time DESC, scope_hash DESC";

/** A row that matches, or the last one that was looked at. */
interface LookedAtRow extends RecordRow {
  readonly matches: boolean;
  /** As many rows were looked at as may be, so there may be more. */
  readonly goes_on: boolean;
}

/** A page of records, the newest first. The page token is the place of the last one looked at in that order. */
export async function listRecords(pool: Pool, filter: RecordFilter): Promise<RecordPage> {
  const { operation, state, pageSize } = filter;
  const { add, values } = createParameters();
  const matches = [
    ...(operation === undefined ? [] : [`operation = ${add(operation)}`]),
    ...(state === undefined ? [] : [`${STATE} = ${add(state)}`]),
  ].join(" AND ");
  const place = parsePageToken(filter.pageToken);
  const within =
    place === undefined
      ? "true"
      : `(create_time, scope_hash) < (${add(place.createTime)}::timestamptz, ${add(place.scopeHash)}::bytea)`;
  const limit = matches === "" ? pageSize + 1 : LOOKED_AT;
  const { rows } = await pool.query<LookedAtRow>(
    `WITH looked_at AS MATERIALIZED (
       SELECT tenant, scope_hash, create_time, ${matches || "true"} AS matches
       FROM (${foundByIndex(filter, { within, limit, add })}) AS idempotency_records
       ${NEWEST_FIRST} LIMIT ${limit}
     ), last AS (SELECT create_time, scope_hash FROM looked_at ORDER BY create_time, scope_hash LIMIT 1),
     shown AS MATERIALIZED (
       SELECT *, (SELECT count(*) FROM looked_at) = ${limit} AS goes_on FROM looked_at
       WHERE matches OR (create_time, scope_hash) = (SELECT create_time, scope_hash FROM last)
       ${NEWEST_FIRST} LIMIT ${add(pageSize + 2)}
     )
     SELECT ${COLUMNS}, matches, goes_on
     FROM shown JOIN idempotency_records USING (tenant, scope_hash, create_time)
     ${NEWEST_FIRST}`,
    [...values],
  );
  const found = rows.filter((row) => row.matches);
  const page = found.slice(0, pageSize);
  const lookedAt = rows.at(-1);
  const last = found.length > pageSize ? page.at(-1) : lookedAt?.goes_on ? lookedAt : undefined;
  return {
    records: page.map(toRecord),
    ...(last === undefined ? {} : { nextPageToken: pageTokenOf(last) }),
  };
}

/** The records that an index finds for a filter, and others too; the newest first. */
function foundByIndex(
  { tenant, state }: RecordFilter,
  {
    within,
    limit,
    add,
  }: {
    readonly within: string;
    readonly limit: number;
    readonly add: (value: unknown) => string;
  },
): string {
  const newest = (condition: string) =>
    `(SELECT * FROM idempotency_records WHERE ${condition} AND ${within}
      ${NEWEST_FIRST} LIMIT ${limit})`;
  const inState = (kept: "held" | "released" | "expired") =>
    newest(`tenant COLLATE "POSIX" = ${add(tenant)} AND state = '${kept}'`);
  // Those of all tenants: as many as calls are under way, or left by their owners.
  const executing = () => newest(`tenant || '' = ${add(tenant)} AND state = 'executing'`);
  if (state === undefined || state === "completed") {
    return newest(`tenant COLLATE "C" = ${add(tenant)}`);
  }
  if (state === "executing") {
    return executing();
  }
  return state === "held" ? `${inState("held")} UNION ALL ${executing()}` : inState(state);
}

function pageTokenOf({ create_cursor, scope_hash }: RecordRow): string {
  return Buffer.from(`${create_cursor} ${scope_hash.toString("hex")}`).toString("base64url");
}

function parsePageToken(
  token: string | undefined,
): { readonly createTime: string; readonly scopeHash: Buffer } | undefined {
  if (token === undefined) {
    return undefined;
  }
  const text = Buffer.from(token, "base64url").toString();
  const match = /^(\d{4}-\d\d-\d\dT[\d:.]+Z) ([0-9a-f]{64})$/.exec(text);
  if (match?.[1] === undefined || match[2] === undefined || !isTime(match[1])) {
    throw new RangeError("page_token must be one that an earlier page returned");
  }
  return { createTime: match[1], scopeHash: Buffer.from(match[2], "hex") };
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
