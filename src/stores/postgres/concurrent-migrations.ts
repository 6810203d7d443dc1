import { setTimeout as sleep } from "node:timers/promises";
import pg, { type Pool, type PoolClient } from "pg";
import type { Migration } from "../../runtime/migrations.js";

// Some changes of a schema cannot be made in a transaction: an index that is
// built while others write its table. Such a migration says so in its first
// line, and is a list of statements that can each be made twice; no migration of
// the other kind may need it. What fails leaves an invalid index behind, which
// the next try drops before it builds it again; the migration is noted once all
// of it is done.

/**
 * Another than that of `migrate`, and never waited for within a statement: a
 * statement that waits has a snapshot, and whoever builds an index waits for it.
 */
const LOCK = 0x7061796e;

/** The time between two tries for the lock. Milliseconds. */
const LOCK_POLL_MS = 200;

/** A table's lock is waited for so long: whoever comes after the one that waits, waits too. Milliseconds. */
const TABLE_LOCK_TIMEOUT_MS = 1_000;

/** The most tries for a table's lock, some minutes. */
const TABLE_LOCK_TRIES = 100;

const LOCK_NOT_AVAILABLE = "55P03";

/** An index takes as long as its table is large; the driver's timers know no more. Milliseconds. */
const NO_TIMEOUT_MS = 2 ** 31 - 1;

/** Returns true if a migration is made outside a transaction. */
export function isConcurrent({ sql }: Migration): boolean {
  return sql.startsWith("-- Outside a transaction");
}

/**
 * Makes migrations that `isConcurrent`, each once, while calls go on. Of several
 * processes one does the work, and the others wait for it.
 * @param note writes down that a migration is made
 * @returns the names of those that it has made
 */
export async function migrateConcurrently(
  pool: Pool,
  migrations: readonly Migration[],
  note: (client: PoolClient, migration: Migration) => Promise<unknown>,
): Promise<readonly string[]> {
  const missing = async (client: Pool | PoolClient) => {
    const { rows } = await client.query<{ name: string }>(
      "SELECT name FROM unnest($1::text[]) AS name WHERE name NOT IN (SELECT name FROM schema_migrations)",
      [migrations.map(({ name }) => name)],
    );
    const names = new Set(rows.map(({ name }) => name));
    return migrations.filter(({ name }) => names.has(name));
  };
  if ((await missing(pool)).length === 0) {
    return [];
  }
  const client = await pool.connect();
  try {
    await client.query("SET statement_timeout = 0");
    while (!(await takeLock(client))) {
      await sleep(LOCK_POLL_MS);
    }
    const pending = await missing(client);
    for (const migration of pending) {
      for (const statement of statementsOf(migration)) {
        await dropInvalidIndex(client, statement);
        await run(client, statement);
      }
      await note(client, migration);
    }
    return pending.map(({ name }) => name);
  } finally {
    client.release(true); // and with it the lock and the settings
  }
}

async function takeLock(client: PoolClient): Promise<boolean> {
  const { rows } = await client.query<{ taken: boolean }>(
    "SELECT pg_try_advisory_lock($1) AS taken",
    [LOCK],
  );
  return rows[0]?.taken === true;
}

/** The statements of a file. No string in it ends a line with a semicolon. */
function statementsOf({ sql }: Migration): readonly string[] {
  const withoutComments = sql.replaceAll(/^\s*--.*$/gm, "");
  return withoutComments
    .split(/;\s*$/m)
    .map((statement) => statement.trim())
    .filter((statement) => statement !== "");
}

/** A build that failed leaves an index that is kept up and serves nobody. */
async function dropInvalidIndex(client: PoolClient, statement: string): Promise<void> {
  const name = /^CREATE (?:UNIQUE )?INDEX CONCURRENTLY IF NOT EXISTS (\w+)/.exec(statement)?.[1];
  if (name === undefined) {
    return;
  }
  const { rowCount } = await client.query(
    "SELECT FROM pg_index WHERE indexrelid = to_regclass($1) AND NOT indisvalid",
    [name],
  );
  if (rowCount === 1) {
    await run(client, `DROP INDEX CONCURRENTLY ${name}`);
  }
}

/** Whoever waits for a table's lock holds up those behind it, so only those that lock no writer out wait long. */
async function run(client: PoolClient, statement: string): Promise<void> {
  const locksWritersOut = !/\bINDEX CONCURRENTLY\b/.test(statement);
  await client.query(`SET lock_timeout = ${locksWritersOut ? TABLE_LOCK_TIMEOUT_MS : 0}`);
  const patient = { text: statement, query_timeout: NO_TIMEOUT_MS };
  for (let tries = 1; ; tries += 1) {
    try {
      await client.query(patient);
      return;
    } catch (error) {
      const mayTryAgain =
        error instanceof pg.DatabaseError &&
        error.code === LOCK_NOT_AVAILABLE &&
        tries < TABLE_LOCK_TRIES;
      if (!mayTryAgain) {
        throw error;
      }
      await sleep(TABLE_LOCK_TIMEOUT_MS);
    }
  }
}
