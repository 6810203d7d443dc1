import { onDatabase } from "./on-database.js";

/** All rows of all tables at one moment: what a dump holds. */
export interface Dump {
  readonly tables: readonly { readonly name: string; readonly rows: string }[];
  readonly sequences: readonly { readonly name: string; readonly value: string }[];
}

export async function dumpDatabase(url: string): Promise<Dump> {
  return onDatabase(url, async (client) => {
    await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    const names = await client.query<{ name: string }>(
      "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' ORDER BY 1",
    );
    const tables = [];
    for (const { name } of names.rows) {
      const { rows } = await client.query<{ rows: string }>(
        `SELECT coalesce(json_agg(t), '[]')::text AS rows FROM ${name} t`,
      );
      tables.push({ name, rows: rows[0]?.rows ?? "[]" });
    }
    const sequences = await client.query<{ name: string; value: string }>(
      `SELECT sequencename AS name, last_value::text AS value FROM pg_sequences
       WHERE schemaname = 'public' AND last_value IS NOT NULL`,
    );
    return { tables, sequences: sequences.rows };
  });
}

/** Puts a dump in the place of all rows of a database with the same schema. */
export async function loadDump(url: string, { tables, sequences }: Dump): Promise<void> {
  await onDatabase(url, async (client) => {
    // As a restore does it: without triggers and foreign keys, in whatever order.
    await client.query("BEGIN; SET LOCAL session_replication_role = replica");
    for (const { name, rows } of tables) {
      await client.query(`DELETE FROM ${name}`);
      await client.query(
        `INSERT INTO ${name} OVERRIDING SYSTEM VALUE
         SELECT * FROM json_populate_recordset(NULL::${name}, $1)`,
        [rows],
      );
    }
    for (const { name, value } of sequences) {
      await client.query("SELECT setval($1, $2)", [name, value]);
    }
    await client.query("COMMIT");
  });
}

/** Copies a database that nobody is connected to, within its server. Returns the copy's URL. */
export async function copyDatabase(url: string): Promise<string> {
  const copy = new URL(url);
  const original = copy.pathname.slice(1);
  const server = new URL(url);
  server.pathname = "postgres";
  copy.pathname = `${original}_copy`;
  await onDatabase(server.href, (client) =>
    client.query(`CREATE DATABASE ${original}_copy TEMPLATE ${original}`),
  );
  return copy.href;
}

export async function dropDatabase(url: string): Promise<void> {
  const server = new URL(url);
  server.pathname = "postgres";
  await onDatabase(server.href, (client) =>
    client.query(`DROP DATABASE IF EXISTS ${new URL(url).pathname.slice(1)} WITH (FORCE)`),
  );
}
