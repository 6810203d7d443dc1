import pg, { type ClientBase } from "pg";

/** No statement here takes longer on a healthy database. Milliseconds. */
export const STATEMENT_TIMEOUT_MS = 10_000;

/**
 * What the statements count on, and what a default of the server, the database
 * or the role may have changed: how transactions see each other, how long they
 * may take, and how values are written.
 */
const NEEDED: Readonly<Record<string, string>> = {
  // The statements count on seeing what others have committed.
  default_transaction_isolation: "read committed",
  // A pool keeps connections as long as it wants them.
  idle_session_timeout: "0",
  lock_timeout: "0",
  client_encoding: "UTF8",
  // The driver reads these forms of dates, intervals, bytes and numbers alone.
  DateStyle: "ISO, MDY",
  IntervalStyle: "postgres",
  TimeZone: "UTC",
  bytea_output: "hex",
  extra_float_digits: "1",
  standard_conforming_strings: "on",
  array_nulls: "on",
  transform_null_equals: "off",
  // Statements of a millisecond: to compile one takes longer than to run it.
  jit: "off",
};

/**
 * Statements look a few rows up by their keys, among any number. Planned while
 * a table is small, they would scan all of it, and go on so while it grows; or
 * gather all rows that an index finds, of which they want the first ones.
 */
const PLANS_BY_KEY = {
  // For tables, whose locks a statement takes before it can say how long it waits for rows.
  lock_timeout: "500ms",
  // Once for each statement: Postgres would else plan anew for every batch.
  plan_cache_mode: "force_generic_plan",
  enable_seqscan: "off",
  enable_hashjoin: "off",
  enable_mergejoin: "off",
  enable_bitmapscan: "off",
  enable_indexscan: "on",
  enable_nestloop: "on",
};

/**
 * Lists are read in the order of an index that has it. Where Postgres takes a
 * tenant for a small one, it would read all of its rows and sort them.
 */
const PLANS_IN_ORDER = { ...PLANS_BY_KEY, enable_sort: "off" };

const PLANS = { "by key": PLANS_BY_KEY, "in order": PLANS_IN_ORDER, any: {} } as const;

/** Postgres 17 and later have it; before, no setting has that name. */
const NO_TRANSACTION_TIMEOUT = `SELECT set_config('transaction_timeout', '0', false)
  WHERE current_setting('transaction_timeout', true) IS NOT NULL`;

/**
 * A connection keeps what its commits wait for, whatever becomes of the
 * defaults while it lives; and no default, of a role or a database, turns the
 * wait for the disk off. What waits for more, or for less of a standby, is the
 * operator's to choose.
 */
const KEEP_COMMITS = `SELECT set_config('synchronous_commit', CASE setting WHEN 'off' THEN 'on' ELSE setting END, false)
  FROM current_setting('synchronous_commit') AS setting`;

/**
 * The schema of the tables comes first, so that no default hides them, nor puts
 * another's table of the same name before them. Until they are made: the first
 * schema of the path that exists, else public.
 */
const OWN_SCHEMA_FIRST = `SELECT set_config('search_path',
    concat_ws(', ', quote_ident(coalesce(
      (SELECT nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE c.relname = 'idempotency_records' AND c.relkind IN ('r', 'p') AND nspname !~ '^pg_'
       ORDER BY pg_table_is_visible(c.oid) DESC, nspname = 'public' DESC, nspname LIMIT 1),
      nullif(current_schema(), 'pg_catalog'), 'public')),
    nullif(current_setting('search_path'), '')), false)`;

/**
 * The plans that Postgres may choose: only those that find rows by a key; of
 * these, only those that read the rows of a list in its order; or any.
 */
export type Plans = keyof typeof PLANS;

export interface SessionOptions {
  readonly plans: Plans;
  /** The longest time that a statement may take. Milliseconds. */
  readonly statementTimeoutMs: number;
  /** The schema of the tables, and the only one that is looked into. Default: the one that has them. */
  readonly schema?: string | undefined;
}

/**
 * Makes a new connection the session that the statements count on, in one round
 * trip. No startup parameters: poolers refuse those.
 */
export async function prepareSession(
  client: ClientBase,
  { plans, statementTimeoutMs, schema }: SessionOptions,
): Promise<void> {
  await client.query(
    [
      settingAll({
        ...NEEDED,
        statement_timeout: String(statementTimeoutMs),
        idle_in_transaction_session_timeout: String(statementTimeoutMs),
        ...PLANS[plans],
      }),
      NO_TRANSACTION_TIMEOUT,
      KEEP_COMMITS,
      schema === undefined ? OWN_SCHEMA_FIRST : `SET search_path = ${pg.escapeIdentifier(schema)}`,
    ].join("; "),
  );
}

function settingAll(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `SET ${name} = '${value}'`)
    .join("; ");
}
