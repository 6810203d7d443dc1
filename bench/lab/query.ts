import pg from "pg";

/** Sends one statement over a connection of its own, and returns the first row. */
export async function query(url: string, sql: string): Promise<Record<string, number>> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<Record<string, number>>(sql);
    return rows[0] ?? {};
  } finally {
    await client.end();
  }
}
