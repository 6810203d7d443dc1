import pg from "pg";

export async function write([url = ""]: readonly string[], text: string): Promise<void> {
  await query(url, "CREATE TABLE IF NOT EXISTS notes (text text NOT NULL)");
  await query(url, "INSERT INTO notes VALUES ($1)", [text]);
}

export async function written([url = ""]: readonly string[]): Promise<string[]> {
  return (await query(url, "SELECT text FROM notes")).map(({ text }) => String(text));
}

export async function query(
  url: string,
  statement: string,
  values: readonly string[] = [],
): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(statement, [...values])).rows;
  } finally {
    await client.end();
  }
}
