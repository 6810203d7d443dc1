import pg, { type QueryConfig, type QueryResult, type QueryResultRow } from "pg";
import { inTransaction } from "../../runtime/transaction.js";
import { lossySetting } from "./deployment.js";
import { type Plans, prepareSession, STATEMENT_TIMEOUT_MS } from "./session.js";

/** The oldest Postgres that the statements are tested with. */
const MIN_SERVER_VERSION = 150_000;

/** Callers name keys and references in any script. */
const ENCODING = "UTF8";

/**
 * Connections of one pool. Statements are short, so a few serve many calls;
 * more would only queue inside Postgres.
 */
const MAX_CONNECTIONS = 10;

/** The time for which a caller waits for a connection by default. Milliseconds. */
const CONNECT_TIMEOUT_MS = 5_000;

/**
 * A large value takes as long as it is large: up to a gigabyte, the most that
 * Postgres takes. As long as an attempt may last by default. Milliseconds.
 */
const LARGE_STATEMENT_TIMEOUT_MS = 60_000;

/** The driver gives up later than Postgres, which says what became of the statement. Milliseconds. */
const DRIVER_GRACE_MS = 1_000;

export interface DatabaseOptions {
  /** The time for which a caller waits for a connection before its query is refused. Milliseconds. Default 5,000 (5 s). */
  readonly connectTimeoutMs?: number;
  /** The most connections of the pool. Default 10. */
  readonly maxConnections?: number;
  /** How long a statement may take before Postgres ends it. Milliseconds. Default 10,000 (10 s). */
  readonly statementTimeoutMs?: number;
  /** The plans that Postgres may choose. Default: only those that find rows by a key, since each statement finds a few. */
  readonly plans?: Plans;
  /** The schema of the tables. Default: the one that has them; before they are made, the first of the role's search path. */
  readonly schema?: string | undefined;
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
    schema,
  }: DatabaseOptions = {},
): pg.Pool {
  const pool = new pg.Pool({
    connectionString: url,
    max: maxConnections,
    connectionTimeoutMillis: connectTimeoutMs,
    query_timeout: statementTimeoutMs + DRIVER_GRACE_MS,
    keepAlive: true,
    application_name: "payonce",
    // Before anybody has the connection: one that refuses this is not used.
    onConnect: (client) => prepareSession(client, { plans, statementTimeoutMs, schema }),
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
 * defaults, as those of a pooler may; and that the database can hold any text.
 * @throws if the server is too old, may lose commits that it has confirmed, or
 *   has another encoding than UTF-8.
 */
export async function assertDurable(pool: pg.Pool): Promise<void> {
  const { rows } = await pool.query<{
    version: number;
    encoding: string;
    fsync: string;
    synchronous_commit: string;
  }>(
    `SELECT current_setting('server_version_num')::int AS version,
            current_setting('server_encoding') AS encoding,
            current_setting('fsync') AS fsync,
            reset_val AS synchronous_commit
     FROM pg_settings WHERE name = 'synchronous_commit'`,
  );
  const [settings] = rows;
  if (settings === undefined || settings.version < MIN_SERVER_VERSION) {
    throw new Error("DATABASE_URL: Postgres 15 or later is needed");
  }
  if (settings.encoding !== ENCODING) {
    throw new Error(
      `DATABASE_URL: the encoding of the database is ${settings.encoding}, which cannot hold every text; create one with ENCODING 'UTF8' TEMPLATE template0`,
    );
  }
  const lossy = lossySetting(settings);
  if (lossy !== undefined) {
    throw new Error(
      `DATABASE_URL: ${lossy} is off, so the database may lose payments it has confirmed; turn it on`,
    );
  }
}
