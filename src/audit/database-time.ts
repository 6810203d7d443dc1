import type { Pool, PoolClient } from "pg";

/** Returns the time on the database's clock. */
export async function databaseTime(database: Pool | PoolClient): Promise<Date> {
  const { rows } = await database.query<{ now: Date }>("SELECT clock_timestamp() AS now");
  const [clock] = rows;
  if (clock === undefined) {
    throw new Error("the database does not tell its time");
  }
  return clock.now;
}
