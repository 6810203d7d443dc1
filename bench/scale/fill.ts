import pg from "pg";
import { idempotencyMigrations, migrate, openDatabase } from "../../src/stores/postgres/index.js";
import { fillStatement } from "./record.js";

/** Inserted by one statement, some seconds of work. */
const CHUNK_RECORDS = 500_000;

/** Two statements keep a small machine busy. */
const FILLERS = 2;

/**
 * Every first change of a page after a checkpoint writes the whole page to the
 * log, and at random places of an index each one is a first change. So there
 * are few checkpoints meanwhile. Nothing is less durable.
 */
const FEW_CHECKPOINTS = { max_wal_size: "16GB", checkpoint_timeout: "1h" };

/** Lost with the server if it crashes now, and then so is the whole bench. */
const SESSION = "-c synchronous_commit=off";

/**
 * Makes the store's own tables in an empty database, and so many records of
 * completed calls in them. Their indexes grow record by record, as they do in a
 * store in use: built afterwards, they would be smaller, and split with the
 * first claims. Returns the time before which all of their calls were.
 */
export async function fillStore(url: string, records: number): Promise<Date> {
  const empty = openDatabase(url, console.error);
  await migrate(empty, idempotencyMigrations);
  await empty.end();
  const clients = Array.from(
    { length: FILLERS },
    () => new pg.Client({ connectionString: url, options: SESSION }),
  );
  try {
    await Promise.all(clients.map((client) => client.connect()));
    return await fill(clients, records);
  } finally {
    await Promise.all(clients.map((client) => client.end()));
  }
}

async function fill(clients: readonly pg.Client[], records: number): Promise<Date> {
  const [admin] = clients;
  const run = async (...statements: readonly string[]) => {
    for (const statement of statements) {
      await admin?.query(statement);
    }
  };
  const settings = Object.entries(FEW_CHECKPOINTS);
  await run(
    ...settings.map(([name, value]) => `ALTER SYSTEM SET ${name} = '${value}'`),
    "SELECT pg_reload_conf()",
    "ALTER TABLE idempotency_records SET (autovacuum_enabled = off)",
  );
  const until = new Date();
  await insertRecords(clients, records, until);
  await run(
    `SELECT setval('idempotency_fencing_tokens', ${records})`,
    "ALTER TABLE idempotency_records RESET (autovacuum_enabled)",
    "VACUUM (ANALYZE) idempotency_records",
    ...settings.map(([name]) => `ALTER SYSTEM RESET ${name}`),
    "SELECT pg_reload_conf()",
    "CHECKPOINT",
  );
  return until;
}

async function insertRecords(
  clients: readonly pg.Client[],
  records: number,
  until: Date,
): Promise<void> {
  let begun = 0;
  let done = 0;
  await Promise.all(
    clients.map(async (client) => {
      while (begun < records) {
        const from = begun;
        const to = Math.min(from + CHUNK_RECORDS, records);
        begun = to;
        await client.query(fillStatement({ from, to, records, until }));
        done += to - from;
        console.log(`  ${done.toLocaleString("en")} of ${records.toLocaleString("en")} records`);
      }
    }),
  );
}
