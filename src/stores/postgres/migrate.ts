import { createHash } from "node:crypto";
import pg, { type Pool, type PoolClient } from "pg";
import type { Migration } from "../../runtime/migrations.js";
import { inTransaction } from "../../runtime/transaction.js";
import { isConcurrent, migrateConcurrently } from "./concurrent-migrations.js";
import { type LockOptions, takeMigrationLock } from "./migration-lock.js";
import { makeSchema } from "./schema.js";

/** The time for which a migration by another process is waited for by default. Milliseconds. */
const WAIT_MS = 30_000;

/** A change of the schema takes as long as its tables are large; the driver's timers know no more. Milliseconds. */
const NO_TIMEOUT_MS = 2 ** 31 - 1;

/** Whoever waits for a table's lock holds up all calls behind it. Milliseconds. */
const TABLE_LOCK_TIMEOUT_MS = 2_000;

const INSUFFICIENT_PRIVILEGE = "42501";
const LOCK_NOT_AVAILABLE = "55P03";

export interface MigrateOptions {
  /** The time for which a migration by another process is waited for, and a table that is in use. Milliseconds. Default 30,000 (30 s). */
  readonly waitMs?: number;
  /** Is told, in words, who is waited for. Must not throw. */
  readonly onWait?: (holder: string) => void;
  /** The schema that the pool's connections have, made if it is missing. Default: one that is there. */
  readonly schema?: string | undefined;
}

/**
 * Brings the schema up to date and returns the names of what it applied. Any
 * number of processes may call it at once; each migration is applied once. On a
 * schema that is up to date nothing is locked or written, and no more is needed
 * than to read it. Those that are made outside a transaction come last: see
 * `migrateConcurrently`.
 * @throws if a migration fails, is not what was applied under its name, or may
 *   not be applied by this role; nothing is applied then. And if another process
 *   migrates for longer than `waitMs`.
 */
export async function migrate(
  pool: Pool,
  migrations: readonly Migration[],
  options: MigrateOptions = {},
): Promise<readonly string[]> {
  const { waitMs = WAIT_MS, onWait = () => {}, schema } = options;
  const checksums = await appliedChecksums(pool);
  const missing = missingFrom(checksums, migrations);
  if (missing.length === 0 && unnotedIn(checksums, migrations).length === 0) {
    return [];
  }
  const together = migrations.filter((migration) => !isConcurrent(migration));
  const concurrent = migrations.filter(isConcurrent);
  const note = (client: PoolClient, made: Migration) => noteAll(client, [made]);
  const giveUpAtMs = performance.now() + waitMs;
  for (;;) {
    const leftMs = Math.max(0, giveUpAtMs - performance.now());
    try {
      const options = { waitMs: leftMs, onWait, schema };
      const applied = await applyMissing(pool, together, options);
      return [...applied, ...(await migrateConcurrently(pool, concurrent, note))];
    } catch (error) {
      if (isRefused(error, INSUFFICIENT_PRIVILEGE)) {
        if (missing.length === 0) {
          return [];
        }
        throw new Error(
          `the schema lacks ${missing.join(", ")}, and this role may not make that (${error.message}): run payonce migrate as the owner of the tables`,
          { cause: error },
        );
      }
      if (!isRefused(error, LOCK_NOT_AVAILABLE) || performance.now() > giveUpAtMs) {
        throw error;
      }
      onWait("whoever uses a table that is to be changed");
    }
  }
}

function applyMissing(
  pool: Pool,
  migrations: readonly Migration[],
  { schema, ...options }: LockOptions & Pick<MigrateOptions, "schema">,
): Promise<readonly string[]> {
  return inTransaction(pool, async (client) => {
    // Held until the commit, so that a second process waits and finds the work done.
    await takeMigrationLock(client, options);
    await client.query(
      `SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0;
       SET LOCAL lock_timeout = ${TABLE_LOCK_TIMEOUT_MS}`,
    );
    if (schema !== undefined) {
      await makeSchema(client, schema);
    }
    const checksums = await appliedChecksums(client);
    const missing = new Set(missingFrom(checksums, migrations));
    await prepareNotes(client);
    for (const { sql } of migrations.filter(({ name }) => missing.has(name))) {
      const patient = { text: sql, query_timeout: NO_TIMEOUT_MS };
      await client.query(patient);
    }
    await noteAll(client, unnotedIn(checksums, migrations));
    return [...missing];
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
  const applied = await appliedChecksums(pool);
  return migrations.map(({ name }) => name).filter((name) => !applied.has(name));
}

/** What is applied, by its name; of older builds, without a checksum. */
type Checksums = ReadonlyMap<string, string | null>;

async function appliedChecksums(client: Pool | PoolClient): Promise<Checksums> {
  const exists = await client.query(
    "SELECT FROM pg_class WHERE oid = to_regclass('schema_migrations')",
  );
  if (exists.rowCount === 0) {
    return new Map();
  }
  // Older builds made the table without the column.
  const { rows } = await client.query<{ name: string; checksum: string | null }>(
    "SELECT name, to_jsonb(m) ->> 'checksum' AS checksum FROM schema_migrations m",
  );
  return new Map(rows.map(({ name, checksum }) => [name, checksum]));
}

/** @throws if one was applied under its name that is not this one. */
function missingFrom(checksums: Checksums, migrations: readonly Migration[]): readonly string[] {
  const edited = migrations.find(
    (migration) =>
      (checksums.get(migration.name) ?? checksumOf(migration)) !== checksumOf(migration),
  );
  if (edited !== undefined) {
    throw new Error(
      `the migration ${edited.name} is not the one that this database has applied; a change of the schema takes a new migration`,
    );
  }
  return migrations.map(({ name }) => name).filter((name) => !checksums.has(name));
}

function unnotedIn(checksums: Checksums, migrations: readonly Migration[]): readonly Migration[] {
  return migrations.filter(({ name }) => (checksums.get(name) ?? null) === null);
}

/**
 * Looks before the table is made or altered: that wants a lock which a backup
 * under way does not give, and the table's owner, also where there is nothing to do.
 */
async function prepareNotes(client: PoolClient): Promise<void> {
  const { rows } = await client.query<{ columns: readonly string[] }>(
    `SELECT array_agg(attname::text) AS columns FROM pg_attribute
     WHERE attrelid = to_regclass('schema_migrations') AND attnum > 0 AND NOT attisdropped`,
  );
  const columns = rows[0]?.columns ?? [];
  if (columns.length === 0) {
    await client.query(`CREATE TABLE schema_migrations (
      name text PRIMARY KEY, apply_time timestamptz NOT NULL DEFAULT clock_timestamp(), checksum text)`);
  } else if (!columns.includes("checksum")) {
    // Older builds kept none, and go on beside this one.
    await client.query("ALTER TABLE schema_migrations ADD COLUMN checksum text");
  }
}

function isRefused(error: unknown, code: string): error is pg.DatabaseError {
  return error instanceof pg.DatabaseError && error.code === code;
}

/** Line endings do not count: git may have changed them. */
function checksumOf({ sql }: Migration): string {
  return createHash("sha256").update(sql.replaceAll("\r\n", "\n")).digest("hex");
}
