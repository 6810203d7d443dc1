import pg from "pg";
import { describe, expect, it } from "vitest";
import { okOutcome } from "../../../src/idempotency/port/outcome.js";
import {
  createPostgresStore,
  type DatabaseOptions,
  idempotencyMigrations,
  migrate,
  openDatabase,
} from "../../../src/stores/postgres/index.js";
import { createDatabase } from "../../support/servers/postgres.js";
import { claimOf, newRequest } from "../../support/stores/contract.js";

const RETENTION_MS = 60_000;
const RECORDS = 5_000;
const BATCH = 100;
const SMALL = 20;

const answer = okOutcome(Buffer.from("done"));

/** What Postgres has counted on the table of records. */
interface Counts {
  readonly inserted: number;
  readonly updated: number;
  /** How often all of the table was read. */
  readonly sequentialScans: number;
  readonly indexScans: number;
}

/** The counts, once every session of the pools is in them: at the latest when it is gone. */
async function countsOf(client: pg.Client): Promise<Counts> {
  const sessions = async () =>
    (
      await client.query(
        `SELECT pid FROM pg_stat_activity
         WHERE datname = current_database() AND backend_type = 'client backend'
           AND pid <> pg_backend_pid()`,
      )
    ).rowCount;
  await expect.poll(sessions, { timeout: 10_000 }).toBe(0);
  const { rows } = await client.query<Counts>(
    `SELECT n_tup_ins::int AS inserted, n_tup_upd::int AS updated,
            seq_scan::int AS "sequentialScans", idx_scan::int AS "indexScans"
     FROM pg_stat_user_tables WHERE relname = 'idempotency_records'`,
  );
  const [counts] = rows;
  if (counts === undefined) {
    throw new Error("there is no table of records");
  }
  return counts;
}

async function withPool(
  url: string,
  options: DatabaseOptions,
  use: (pool: pg.Pool) => Promise<unknown>,
): Promise<void> {
  const pool = openDatabase(url, () => {}, options);
  try {
    await use(pool);
  } finally {
    await pool.end();
  }
}

/** Claims and completes so many records, a batch at a time. */
async function work(pool: pg.Pool, records: number): Promise<void> {
  const store = createPostgresStore(pool);
  for (let done = 0; done < records; done += BATCH) {
    const requests = Array.from({ length: Math.min(BATCH, records - done) }, () => newRequest());
    const claims = (await Promise.all(requests.map(store.claim))).map(claimOf);
    const completed = await Promise.all(
      claims.map((claim) => store.complete(claim, answer, RETENTION_MS)),
    );
    expect(completed).toEqual(claims.map(() => true));
  }
}

/** What the planner knows of the table when the work begins. */
type Known = "never analyzed" | "analyzed while small";

/** What claiming and completing many records adds to the counts of a new database. */
async function scansOf(known: Known, options: DatabaseOptions): Promise<Counts> {
  const database = await createDatabase();
  const client = new pg.Client({ connectionString: database.url });
  try {
    await client.connect();
    await withPool(database.url, options, (pool) => migrate(pool, idempotencyMigrations));
    // Nobody else analyzes it meanwhile.
    await client.query("ALTER TABLE idempotency_records SET (autovacuum_enabled = false)");
    if (known === "analyzed while small") {
      await withPool(database.url, options, (pool) => work(pool, SMALL));
      await client.query("ANALYZE idempotency_records");
    }
    const before = await countsOf(client);
    await withPool(database.url, options, (pool) => work(pool, RECORDS));
    const after = await countsOf(client);
    return {
      inserted: after.inserted - before.inserted,
      updated: after.updated - before.updated,
      sequentialScans: after.sequentialScans - before.sequentialScans,
      indexScans: after.indexScans - before.indexScans,
    };
  } finally {
    await client.end();
    await database.drop();
  }
}

describe("claims and completions of many records", () => {
  it.each(["never analyzed", "analyzed while small"] as const)(
    "make no sequential scan of a table that was %s",
    async (known) => {
      const counts = await scansOf(known, {});
      expect(counts).toMatchObject({ inserted: RECORDS, updated: RECORDS, sequentialScans: 0 });
      expect(counts.indexScans).toBeGreaterThan(RECORDS);
    },
  );

  it("would make one for each batch, and more, with the plans that Postgres makes by itself", async () => {
    const counts = await scansOf("analyzed while small", { plans: "any" });
    expect(counts).toMatchObject({ inserted: RECORDS, updated: RECORDS });
    expect(counts.sequentialScans).toBeGreaterThan(RECORDS / BATCH);
  });
});
