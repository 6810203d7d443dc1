import { rm } from "node:fs/promises";
import { join } from "node:path";
import pg from "pg";
import { clusterIn } from "../../src/dev-servers/postgres-cluster.js";
import { openDatabase, startNewGeneration } from "../../src/stores/postgres/index.js";
import type { OwnPostgres } from "../support/faults/own-postgres.js";
import { copyFiles } from "../support/servers/copy-files.js";

/** The files of the database as they were when it was stopped. */
export interface Backup {
  readonly directory: string;
  /** All that was told before is in it. By the clock of this process. Milliseconds. */
  readonly takenAtMs: number;
}

/** Stops the database as a crash does, copies its files, and starts it again. Replaces the backup before. */
export async function takeBackup(database: OwnPostgres): Promise<Backup> {
  const directory = join(database.dataDir, "backup");
  await rm(directory, { recursive: true, force: true });
  await checkpoint(database.directUrl());
  const takenAtMs = performance.now();
  await database.stopImmediately();
  await copyFiles(filesOf(database), directory);
  await rm(join(directory, "postmaster.pid"), { force: true });
  await database.start();
  return { directory, takenAtMs };
}

/**
 * Puts the files back in the place of those of the database, as an operator
 * does: nobody reaches the database before it is known to have lost rows, and
 * before `prepare` has run. The backup can be put back again.
 */
export async function putBack(
  database: OwnPostgres,
  { directory }: Backup,
  prepare: () => Promise<void>,
): Promise<void> {
  database.proxy.cut();
  await database.stopImmediately();
  await rm(filesOf(database), { recursive: true });
  await copyFiles(directory, filesOf(database));
  await database.start();
  const pool = openDatabase(database.directUrl(), () => {});
  try {
    await startNewGeneration(pool);
  } finally {
    await pool.end();
  }
  await prepare();
  database.proxy.heal();
}

function filesOf({ dataDir }: OwnPostgres): string {
  return clusterIn(join(dataDir, "postgres")).data;
}

/** So that little of the log has to be copied, and replayed. */
async function checkpoint(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query("CHECKPOINT");
  } finally {
    await client.end();
  }
}
