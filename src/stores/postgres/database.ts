import pg, { type QueryConfig, type QueryResult, type QueryResultRow } from "pg";
import { inTransaction } from "../../runtime/transaction.js";
import { lossySetting } from "./deployment.js";

/** The oldest Postgres that the statements are tested with. */
const MIN_SERVER_VERSION = 150_000;

/**
 * Connections of one pool. Statements are short, so a few serve many calls;
 * more would only queue inside Postgres.
 */
const MAX_CONNECTIONS = 10;

/** The time for which a caller waits for a connection by default. Milliseconds. */
const CONNECT_TIMEOUT_MS = 5_000;

/** No statement here takes longer on a healthy database. Milliseconds. */
const STATEMENT_TIMEOUT_MS = 10_000;

/**
 * A large value takes as long as it is large: up to a gigabyte, the most that
 * Postgres takes. As long as an attempt may last by default. Milliseconds.
 */
const LARGE_STATEMENT_TIMEOUT_MS = 60_000;

/** The driver gives up later than Postgres, which says what became of the statement. Milliseconds. */
const DRIVER_GRACE_MS = 1_000;

/** Whatever the database's default: the statements count on seeing what others commit. */
const ISOLATION = "-c default_transaction_isolation=read\\ committed";

/**
 * A connection keeps what its commits wait for, whatever becomes of the
 * defaults while it lives; and no default, of a role or a database, turns the
 * wait for the disk off. What waits for more, or for less of a standby, is the
 * operator's to choose.
 */
const KEEP_COMMITS = `SELECT set_config('synchronous_commit', CASE setting WHEN 'off' THEN 'on' ELSE setting END, false)
  FROM current_setting('synchronous_commit') AS setting`;

/**
 * Statements look a few rows up by their keys, among any number. Planned while
 * a table is small, they would scan all of it, and go on so while it grows; or
 * gather all rows that an index finds, of which they want the first ones.
 */
const PLANS_BY_KEY =
  "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c enable_bitmapscan=off";

/**
 * Lists are read in the order of an index that has it. Where Postgres takes a
 * tenant for a small one, it would read all of its rows and sort them.
 */
const PLANS_IN_ORDER = `${PLANS_BY_KEY} -c enable_sort=off`;

const PLANS = { "by key": ` ${PLANS_BY_KEY}`, "in order": ` ${PLANS_IN_ORDER}`, any: "" } as const;

export interface DatabaseOptions {
  /** The time for which a caller waits for a connection before its query is refused. Milliseconds. Default 5,000 (5 s). */
  readonly connectTimeoutMs?: number;
  /** The most connections of the pool. Default 10. */
  readonly maxConnections?: number;
  /** How long a statement may take before Postgres ends it. Milliseconds. Default 10,000 (10 s). */
  readonly statementTimeoutMs?: number;
  /**
   * The plans that Postgres may choose: `by key`, only those that find rows by a key, since each
   * statement finds a few; `in order`, also the rows of a list by their order. Default: `by key`.
   */
  readonly plans?: keyof typeof PLANS;
}

/** Opens a pool on the store of record. Nothing is sent before the first query. */
export function openDatabase(
  url: string,
  onError: (error: Error) => void,
  {
    connectTimeoutMs = CONNECT_TIMEOUT_MS,
    maxConnections = MAX_CONNECTIONS,
    statementTimeoutMs = STATEMENT_TIMEOUT_MS,
    plans = "by key",
  }: DatabaseOptions = {},
): pg.Pool {
  const pool = new pg.Pool({
    connectionString: url,
    max: maxConnections,
    connectionTimeoutMillis: connectTimeoutMs,
    statement_timeout: statementTimeoutMs,
    query_timeout: statementTimeoutMs + DRIVER_GRACE_MS,
    idle_in_transaction_session_timeout: statementTimeoutMs,
    options: `${ISOLATION}${PLANS[plans]}`,
    keepAlive: true,
    application_name: "payonce",
    // Before anybody has the connection: one that refuses this is not used.
    onConnect: (client) => client.query(KEEP_COMMITS),
  });
  // An idle connection that breaks is replaced; without a listener it would end the process.
  pool.on("error", onError);
  return pool;
}

/** Runs one statement that carries a large value, with the time that this takes. */
export function queryLarge<Row extends QueryResultRow>(
  pool: pg.Pool,
  statement: QueryConfig,
): Promise<QueryResult<Row>> {
  const patient = {
    ...statement,
    query_timeout: LARGE_STATEMENT_TIMEOUT_MS + DRIVER_GRACE_MS,
  };
  return inTransaction(pool, async (transaction) => {
    // Until the value has arrived, Postgres takes the transaction for an idle one.
    await transaction.query(
      `SET LOCAL statement_timeout = ${LARGE_STATEMENT_TIMEOUT_MS};
       SET LOCAL idle_in_transaction_session_timeout = ${LARGE_STATEMENT_TIMEOUT_MS}`,
    );
    return transaction.query<Row>(patient);
  });
}

/**
 * Makes sure that a commit is a promise, also on connections that keep the
 * defaults, as those of a pooler may.
 * @throws if the server is too old, or may lose commits that it has confirmed.
 */
export async function assertDurable(pool: pg.Pool): Promise<void> {
  const { rows } = await pool.query<{
    version: number;
    fsync: string;
    synchronous_commit: string;
  }>(
    `SELECT current_setting('server_version_num')::int AS version,
            current_setting('fsync') AS fsync,
            reset_val AS synchronous_commit
     FROM pg_settings WHERE name = 'synchronous_commit'`,
  );
  const [settings] = rows;
  if (settings === undefined || settings.version < MIN_SERVER_VERSION) {
    throw new Error("DATABASE_URL: Postgres 15 or later is needed");
  }
  const lossy = lossySetting(settings);
  if (lossy !== undefined) {
    throw new Error(
      `DATABASE_URL: ${lossy} is off, so the database may lose payments it has confirmed; turn it on`,
    );
  }
}
