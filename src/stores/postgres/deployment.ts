import type { Pool } from "pg";

/** What copies of outcomes outside the database are named by. */
export interface Deployment {
  readonly id: string;
  readonly generation: number;
}

/**
 * Reads which deployment the database is. One that was restored is recognised
 * by its system identifier or timeline (a dump loaded elsewhere, a recovery to
 * a point in time, a promoted standby), and starts a new generation.
 *
 * The timeline is read off the name of the WAL file that is being written: the
 * control file still has the old one until the first checkpoint.
 */
export async function readDeployment(pool: Pool): Promise<Deployment> {
  await pool.query(`
    UPDATE deployment d
    SET generation = d.generation + 1,
        system_identifier = s.system_identifier::text,
        timeline_id = c.timeline_id
    FROM pg_control_system() s,
      (SELECT ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int) c (timeline_id)
    WHERE d.system_identifier <> s.system_identifier::text OR d.timeline_id <> c.timeline_id`);
  return selectDeployment(pool, "SELECT id, generation FROM deployment");
}

/**
 * The deployment as it is now. A database that is restored or fails over breaks
 * its connections, so it is read again with each one that is made.
 */
export async function watchDeployment(pool: Pool): Promise<() => Deployment> {
  let deployment = await readDeployment(pool);
  let reading = false;
  let stale = false;
  const reread = async () => {
    stale = true;
    if (reading) {
      return;
    }
    reading = true;
    while (stale) {
      stale = false;
      // Where it fails, the connection breaks, and the next one has its turn.
      deployment = await readDeployment(pool).catch(() => deployment);
    }
    reading = false;
  };
  pool.on("connect", () => void reread());
  return () => deployment;
}

/**
 * Starts a new generation by hand, after a restore that leaves no trace in the
 * database, such as a snapshot of its disk put back.
 */
export function startNewGeneration(pool: Pool): Promise<Deployment> {
  return selectDeployment(
    pool,
    "UPDATE deployment SET generation = generation + 1 RETURNING id, generation",
  );
}

async function selectDeployment(pool: Pool, sql: string): Promise<Deployment> {
  const { rows } = await pool.query<Deployment>(sql);
  const deployment = rows[0];
  if (deployment === undefined) {
    throw new Error("the table deployment is empty; restore its row before the service starts");
  }
  return deployment;
}
