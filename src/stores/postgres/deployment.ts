import type { Pool } from "pg";
import { inTransaction } from "../../runtime/transaction.js";
import { advanceFencingTokens, raiseSequences } from "./sequences.js";

/** While sequences are raised, whole tables are read; the driver's timers know no more. Milliseconds. */
const NO_TIMEOUT_MS = 2 ** 31 - 1;

/** The names under which copies of outcomes are kept outside the database. */
export interface Deployment {
  readonly id: string;
  /** A random name, drawn anew each time that the database may be another than before. Never repeats. */
  readonly generation: string;
  /**
   * The time at which it was last found that the database may have lost rows, on
   * the database's clock: milliseconds since the epoch. Absent if it never was.
   */
  readonly restoreTimeMs?: number;
}

/** The state of a deployment at one look at the database. */
export interface Reading {
  readonly deployment: Deployment;
  /** The time since `restoreTimeMs`, on the same clock. Milliseconds. */
  readonly restoredAgoMs: number | undefined;
  /** A setting under which the database may lose what it has confirmed. */
  readonly lossySetting: string | undefined;
  /** The position up to which the log was safe on disk. It goes back only where something was lost. */
  readonly flushedTo: string;
  /** Names the oldest transaction of the whole server that has written and not ended; undefined if there is none. */
  readonly oldestWrite: string | undefined;
}

/**
 * The place of the database now. The timeline is read off the name of the WAL file
 * that is being written: the control file still has the old one until the first
 * checkpoint.
 */
const HERE = `(SELECT
    (SELECT system_identifier::text FROM pg_control_system()) AS system_identifier,
    ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int AS timeline_id,
    (SELECT oid FROM pg_database WHERE datname = current_database()) AS database_oid,
    pg_postmaster_start_time() AS postmaster_start_time) AS here`;

/** A data directory can be put back, or copied, only where its server starts anew. */
const IS_RESTARTED = "d.postmaster_start_time IS DISTINCT FROM here.postmaster_start_time";

/**
 * The database may have lost rows: it is on another server or timeline, it is a
 * copy made by CREATE DATABASE, a dump was loaded (which writes the row anew),
 * or its server was started anew with a log that ends before the place $1.
 */
const IS_RESTORED = `(d.system_identifier <> here.system_identifier
    OR d.timeline_id <> here.timeline_id
    OR coalesce(d.database_oid <> here.database_oid, false)
    OR coalesce(d.write_xid <> d.xmin, false)
    OR coalesce(${IS_RESTARTED} AND pg_current_wal_flush_lsn() < $1::pg_lsn, false))`;

/**
 * The rows came here one by one: loaded from a dump, or by logical replication.
 * Neither need bring the sequences along; copies of files have them as they were.
 */
const IS_MOVED = `(d.system_identifier <> here.system_identifier
    OR coalesce(d.write_xid <> d.xmin, false))`;

const READ = `
  SELECT d.id, d.generation_id,
    (extract(epoch FROM d.restore_time) * 1000)::float8 AS restore_ms,
    (extract(epoch FROM clock_timestamp() - d.restore_time) * 1000)::float8 AS restored_ago_ms,
    ${IS_RESTORED} OR ${IS_RESTARTED} AS is_another,
    ${IS_RESTORED} AS is_restored,
    ${IS_MOVED} AS is_moved,
    pg_current_wal_flush_lsn()::text AS flushed_to,
    nullif(pg_snapshot_xmin(pg_current_snapshot()), pg_snapshot_xmax(pg_current_snapshot()))::text
      AS oldest_write,
    current_setting('fsync') AS fsync,
    current_setting('synchronous_commit') AS synchronous_commit
  FROM deployment d, ${HERE}`;

interface Row {
  readonly id: string;
  readonly generation_id: string;
  readonly restore_ms: number | null;
  readonly restored_ago_ms: number | null;
  readonly is_another: boolean;
  readonly is_restored: boolean;
  readonly is_moved: boolean;
  readonly flushed_to: string;
  readonly oldest_write: string | null;
  readonly fsync: string;
  readonly synchronous_commit: string;
}

/** Builds before idempotency/0003 look at \`generation\`, and at it alone. */
const NEW_GENERATION = `generation = d.generation + 1,
    generation_id = gen_random_uuid(),
    system_identifier = here.system_identifier,
    timeline_id = here.timeline_id,
    database_oid = here.database_oid,
    postmaster_start_time = here.postmaster_start_time,
    write_xid = pg_current_xact_id()::xid`;

/** Starts a generation. Of two processes that do so, the second waits for the row, and then finds no difference. */
const START_GENERATION = `
  UPDATE deployment d
  SET ${NEW_GENERATION},
    restore_time = CASE WHEN ${IS_RESTORED} THEN clock_timestamp() ELSE d.restore_time END
  FROM ${HERE}
  WHERE ${IS_RESTORED} OR ${IS_RESTARTED}`;

const START_GENERATION_BY_HAND = `
  UPDATE deployment d
  SET ${NEW_GENERATION}, restore_time = clock_timestamp()
  FROM ${HERE}`;

/**
 * Reads which deployment the database is. One that may not be the database it
 * was starts a new generation; else nothing is locked or written.
 *
 * @param before what was read before, if it was
 * @throws if the database cannot be read, has lost its row, or has a sequence
 *   behind its table that this role may not raise
 */
export async function readDatabase(pool: Pool, before?: Reading): Promise<Reading> {
  const flushedTo = before?.flushedTo;
  const row = await selectRow(pool, flushedTo);
  if (!row.is_another) {
    return toReading(row);
  }
  await startGeneration(pool, {
    statement: START_GENERATION,
    values: [flushedTo],
    isRestored: row.is_restored,
    isMoved: row.is_moved,
  });
  return toReading(await selectRow(pool, flushedTo));
}

interface Start {
  readonly statement: string;
  readonly values: readonly unknown[];
  readonly isRestored: boolean;
  readonly isMoved: boolean;
}

/** Starts a generation, with sequences that are ready for it in the same commit. */
function startGeneration(
  pool: Pool,
  { statement: text, values, isRestored, isMoved }: Start,
): Promise<void> {
  return inTransaction(pool, async (transaction) => {
    if (isMoved) {
      await transaction.query(
        "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0",
      );
    }
    const start = { text, values: [...values] };
    const patient = { ...start, query_timeout: NO_TIMEOUT_MS };
    const { rowCount } = await transaction.query(isMoved ? patient : start);
    if (rowCount === 0) {
      return; // another process has done so meanwhile
    }
    if (isMoved) {
      await raiseSequences(transaction);
    }
    if (isRestored) {
      await advanceFencingTokens(transaction);
    }
  });
}

/** Reads the database once, and returns what names the deployment. */
export async function readDeployment(pool: Pool): Promise<Deployment> {
  return (await readDatabase(pool)).deployment;
}

/** Starts a new generation by hand, after a restore that the database shows no trace of. */
export async function startNewGeneration(pool: Pool): Promise<Deployment> {
  await startGeneration(pool, {
    statement: START_GENERATION_BY_HAND,
    values: [],
    isRestored: true,
    isMoved: true,
  });
  return readDeployment(pool);
}

async function selectRow(pool: Pool, flushedTo: string | undefined): Promise<Row> {
  const { rows } = await pool.query<Row>(READ, [flushedTo]);
  const [row] = rows;
  if (row === undefined) {
    throw new Error("the table deployment is empty; restore its row before the service starts");
  }
  return row;
}

function toReading(row: Row): Reading {
  return {
    deployment: {
      id: row.id,
      generation: row.generation_id,
      ...(row.restore_ms === null ? {} : { restoreTimeMs: row.restore_ms }),
    },
    restoredAgoMs: row.restored_ago_ms ?? undefined,
    lossySetting: lossySetting(row),
    flushedTo: row.flushed_to,
    oldestWrite: row.oldest_write ?? undefined,
  };
}

/** The first of the settings that is off, if one is. */
export function lossySetting(
  settings: Pick<Row, "fsync" | "synchronous_commit">,
): string | undefined {
  const names = ["fsync", "synchronous_commit"] as const;
  return names.find((name) => settings[name] === "off");
}
