import type { Pool, PoolClient } from "pg";
import { inTransaction } from "../../runtime/transaction.js";
import type { Migration } from "./migrations.js";

/** Any number that no other program locks: the ASCII codes of "payonce" cut to 32 bits. */
const MIGRATION_LOCK = 0x7061796f;

/**
 * Brings the schema up to date and returns the names of what it applied. Any
 * number of processes may call it at once; each migration is applied once.
 * @throws if a migration fails; nothing of it is applied then.
 */
export function migrate(pool: Pool, migrations: readonly Migration[]): Promise<readonly string[]> {
  return inTransaction(pool, async (client) => {
    // Held until the commit, so that a second process waits and finds the work done.
    await client.query("SELECT pg_advisory_xact_lock($1)", [MIGRATION_LOCK]);
    await client.query(`CREATE TABLE IF NOT EXISTS schema_migrations (
      name text PRIMARY KEY, apply_time timestamptz NOT NULL DEFAULT clock_timestamp())`);
    const applied = await appliedNames(client);
    const pending = migrations.filter(({ name }) => !applied.has(name));
    for (const { name, sql } of pending) {
      await client.query(sql);
      await client.query("INSERT INTO schema_migrations (name) VALUES ($1)", [name]);
    }
    return pending.map(({ name }) => name);
  });
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

async function appliedNames(client: Pool | PoolClient): Promise<ReadonlySet<string>> {
  const { rows } = await client.query<{ name: string }>("SELECT name FROM schema_migrations");
  return new Set(rows.map(({ name }) => name));
}
