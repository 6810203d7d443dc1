import type { Pool, PoolClient } from "pg";

/**
 * Runs `work` in a transaction and commits it. Whatever `work` or the commit
 * throws is thrown on, and nothing is committed, except that a commit whose
 * reply is lost may have happened.
 */
export async function inTransaction<Result>(
  pool: Pool,
  work: (client: PoolClient) => Promise<Result>,
): Promise<Result> {
  const client = await pool.connect();
  try {
    await client.query("BEGIN");
    const result = await work(client);
    await client.query("COMMIT");
    client.release();
    return result;
  } catch (error) {
    // A connection in doubt is not given to anybody else.
    const rolledBack = await client.query("ROLLBACK").then(
      () => true,
      () => false,
    );
    client.release(!rolledBack);
    throw error;
  }
}
