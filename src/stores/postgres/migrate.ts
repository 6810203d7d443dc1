import { createHash } from "node:crypto";
import type { Pool, PoolClient } from "pg";
import type { Migration } from "../../runtime/migrations.js";
import { inTransaction } from "../../runtime/transaction.js";
import { isConcurrent, migrateConcurrently } from "./concurrent-migrations.js";

/** Any number that no other program locks: the ASCII codes of "payonce" cut to 32 bits. */
const MIGRATION_LOCK = 0x7061796f;

/**
 * Brings the schema up to date and returns the names of what it applied. Any
 * number of processes may call it at once; each migration is applied once. Those
 * that are made outside a transaction come last: see `migrateConcurrently`.
 * @throws if a migration fails, or is not what was applied under its name; unless
 *   it is one of the last ones, nothing is applied then.
 */
export async function migrate(
  pool: Pool,
  migrations: readonly Migration[],
): Promise<readonly string[]> {
  const together = migrations.filter((migration) => !isConcurrent(migration));
  const applied = await migrateTogether(pool, together, migrations);
  const concurrent = migrations.filter(isConcurrent);
  const note = (client: PoolClient, made: Migration) => noteAll(client, [made]);
  return [...applied, ...(await migrateConcurrently(pool, concurrent, note))];
}

/** Makes migrations in one transaction, unless any of `all` is not what was applied. */
function migrateTogether(
  pool: Pool,
  migrations: readonly Migration[],
  all: readonly Migration[],
): Promise<readonly string[]> {
  return inTransaction(pool, async (client) => {
    // Held until the commit, so that a second process waits and finds the work done.
    await client.query("SELECT pg_advisory_xact_lock($1)", [MIGRATION_LOCK]);
    await client.query(`CREATE TABLE IF NOT EXISTS schema_migrations (
      name text PRIMARY KEY, apply_time timestamptz NOT NULL DEFAULT clock_timestamp())`);
    if (!(await hasChecksums(client))) {
      // Older builds kept none, and go on beside this one.
      await client.query("ALTER TABLE schema_migrations ADD COLUMN checksum text");
    }
    const checksums = await appliedChecksums(client);
    const edited = all.find(
      (migration) =>
        (checksums.get(migration.name) ?? checksumOf(migration)) !== checksumOf(migration),
    );
    if (edited !== undefined) {
      throw new Error(
        `the migration ${edited.name} is not the one that this database has applied; a change of the schema takes a new migration`,
      );
    }
    const pending = migrations.filter(({ name }) => !checksums.has(name));
    for (const { sql } of pending) {
      await client.query(sql);
    }
    const unnoted = migrations.filter(({ name }) => (checksums.get(name) ?? null) === null);
    if (unnoted.length > 0) {
      await noteAll(client, unnoted);
    }
    return pending.map(({ name }) => name);
  });
}

async function noteAll(client: PoolClient, migrations: readonly Migration[]): Promise<void> {
  await client.query(
    `INSERT INTO schema_migrations (name, checksum) SELECT * FROM unnest($1::text[], $2::text[])
     ON CONFLICT (name) DO UPDATE SET checksum = excluded.checksum`,
    [migrations.map(({ name }) => name), migrations.map(checksumOf)],
  );
}

/** The migrations that the database still lacks. */
export async function pendingMigrations(
  pool: Pool,
  migrations: readonly Migration[],
): Promise<readonly string[]> {
  const exists = await pool.query<{ exists: boolean }>(
    "SELECT to_regclass('schema_migrations') IS NOT NULL AS exists",
  );
  const applied = exists.rows[0]?.exists === true ? await appliedNames(pool) : new Set<string>();
  return migrations.map(({ name }) => name).filter((name) => !applied.has(name));
}

async function appliedNames(pool: Pool): Promise<ReadonlySet<string>> {
  const { rows } = await pool.query<{ name: string }>("SELECT name FROM schema_migrations");
  return new Set(rows.map(({ name }) => name));
}

/**
 * Looks before the table is altered: that wants a lock which a backup under way
 * does not give, and the table's owner, also where there is nothing to alter.
 */
async function hasChecksums(client: PoolClient): Promise<boolean> {
  const { rowCount } = await client.query(
    `SELECT FROM pg_attribute
     WHERE attrelid = 'schema_migrations'::regclass AND attname = 'checksum' AND NOT attisdropped`,
  );
  return rowCount === 1;
}

async function appliedChecksums(client: PoolClient): Promise<ReadonlyMap<string, string | null>> {
  const { rows } = await client.query<{ name: string; checksum: string | null }>(
    "SELECT name, checksum FROM schema_migrations",
  );
  return new Map(rows.map(({ name, checksum }) => [name, checksum]));
}

/** Line endings do not count: git may have changed them. */
function checksumOf({ sql }: Migration): string {
  return createHash("sha256").update(sql.replaceAll("\r\n", "\n")).digest("hex");
}
