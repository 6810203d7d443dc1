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
 */
export async function readDeployment(pool: Pool): Promise<Deployment> {
  await pool.query(`
    UPDATE deployment d
    SET generation = d.generation + 1,
        system_identifier = s.system_identifier::text,
        timeline_id = c.timeline_id
    FROM pg_control_system() s, pg_control_checkpoint() c
    WHERE d.system_identifier <> s.system_identifier::text OR d.timeline_id <> c.timeline_id`);
  return selectDeployment(pool, "SELECT id, generation FROM deployment");
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
