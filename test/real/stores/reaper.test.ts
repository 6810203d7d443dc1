import { setTimeout as sleep } from "node:timers/promises";
import type { Pool, PoolClient } from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createExecutor } from "../../../src/idempotency/execution/executor.js";
import { startReaper } from "../../../src/idempotency/recovery/reaper.js";
import { mustExist } from "../../../src/payments/postgres/rows.js";
import {
  createPostgresStore,
  idempotencyMigrations,
  migrate,
  openDatabase,
} from "../../../src/stores/postgres/index.js";
import { callOf, holdPolicy, ok } from "../../support/idempotency/calls.js";
import { reasonOf } from "../../support/idempotency/replies.js";
import { createDatabase, type TestDatabase } from "../../support/servers/postgres.js";
import { waitUntil } from "../../support/service/service-process.js";

const TOMBSTONES = 10_000;
const REAP_LIMIT_MS = 30_000;

let database: TestDatabase;
/** Two processes' connections. */
let pools: readonly [Pool, Pool];
beforeAll(async () => {
  database = await createDatabase();
  pools = [openDatabase(database.url, () => {}), openDatabase(database.url, () => {})];
  await migrate(pools[0], idempotencyMigrations);
});
beforeEach(async () => {
  await pools[0].query("TRUNCATE idempotency_records");
});
afterAll(async () => {
  await Promise.all(pools.map((pool) => pool.end()));
  await database.drop();
});

/** Two reapers at work until they are stopped; says how many answers each has shrunk. */
function startReapers(batchSize: number) {
  const counts = [0, 0];
  const reapers = pools.map((pool, index) =>
    startReaper({
      store: createPostgresStore(pool),
      intervalMs: 1,
      batchSize,
      onEvent(event) {
        if (event.type === "store_failed") {
          throw event.error;
        }
        counts[index] = (counts[index] ?? 0) + event.count;
      },
    }),
  );
  return { counts, stop: () => Promise.all(reapers.map((reaper) => reaper.stop())) };
}

/** Answers that are past their retention, copies of a real one under keys of their own. */
async function fillWithExpired(count: number): Promise<void> {
  const executor = createExecutor({ store: createPostgresStore(pools[0]) });
  const policy = { ...holdPolicy, retentionMs: 1 };
  await executor.execute(
    callOf<PoolClient>({ policy, run: async () => ok("a response of some size ".repeat(20)) }),
  );
  await pools[0].query(
    `INSERT INTO idempotency_records
     SELECT copy.* FROM idempotency_records AS answered, generate_series(2, $1) AS number,
       jsonb_populate_record(answered, jsonb_build_object(
         'scope_hash', sha256(number::text::bytea)::text,
         'idempotency_key', 'key-' || number, 'claim_id', gen_random_uuid())) AS copy`,
    [count],
  );
  await sleep(10);
}

describe("the reaper beside callers that repeat their calls", () => {
  it("never makes one execute: each gets the answer, and from then on a refusal", async () => {
    const keys = Array.from({ length: 40 }, (_, index) => `key-${index}`);
    const policy = { ...holdPolicy, retentionMs: 1_000 };
    const executors = pools.map((pool) => createExecutor({ store: createPostgresStore(pool) }));
    let executions = 0;
    const answersOf = async (key: string, index: number): Promise<string[]> => {
      const answers: string[] = [];
      while (answers.filter((answer) => answer === "IDEMPOTENCY_KEY_EXPIRED").length < 5) {
        const executor = executors[(answers.length + index) % 2];
        const reply = await executor?.execute(
          callOf<PoolClient>({
            key,
            policy,
            run: async () => {
              executions += 1;
              return ok(key);
            },
          }),
        );
        if (reply === undefined || answers.length > 1_000) {
          throw new Error("the answer never expires");
        }
        const reason = reply.code === 0 ? Buffer.from(reply.body).toString() : reasonOf(reply);
        answers.push(reason ?? "");
        await sleep(20);
      }
      return answers;
    };
    const reapers = startReapers(3);
    const all = await Promise.all(keys.map(answersOf));
    await reapers.stop();
    for (const [index, answers] of all.entries()) {
      const refused = answers.indexOf("IDEMPOTENCY_KEY_EXPIRED");
      expect(refused).toBeGreaterThan(1);
      expect(new Set(answers.slice(0, refused))).toEqual(new Set([keys[index]]));
      expect(new Set(answers.slice(refused))).toEqual(new Set(["IDEMPOTENCY_KEY_EXPIRED"]));
    }
    expect(executions).toBe(keys.length);
    expect(sum(reapers.counts)).toBeGreaterThan(0);
  });
});

it("two reapers at once shrink each answer once, all of them, in batches that are never exceeded", async () => {
  await fillWithExpired(2_000);
  const stores = pools.map((pool) => createPostgresStore(pool));
  const batches: number[] = [];
  await Promise.all(
    stores.map(async ({ reap }) => {
      for (let idle = 0; idle < 3; ) {
        const count = await reap(70);
        batches.push(count);
        idle = count === 0 ? idle + 1 : 0;
      }
    }),
  );
  expect(sum(batches)).toBe(2_000);
  expect(Math.max(...batches)).toBe(70);
  expect(await countOf("expired")).toBe(2_000);
});

it("a tombstone takes a few hundred bytes, with all its indexes", async () => {
  await fillWithExpired(TOMBSTONES);
  const before = await bytesPerRecord();
  const reapers = startReapers(500);
  await waitUntil(async () => (await countOf("completed")) === 0, REAP_LIMIT_MS);
  await reapers.stop();
  expect(sum(reapers.counts)).toBe(TOMBSTONES);
  const after = await bytesPerRecord();
  // Without the space that the answers have left, and that new records will take.
  await pools[0].query("CREATE TABLE alone (LIKE idempotency_records INCLUDING ALL)");
  await pools[0].query("INSERT INTO alone SELECT * FROM idempotency_records");
  const alone = await bytesPerRecord("alone");
  console.log("bytes per record:", { before, after, alone });
  expect(alone.row).toBeLessThan(before.row / 2);
  expect(alone.withIndexes).toBeLessThan(700);
});

/** Of the rows alone, and of all that the table takes on disk, in bytes. */
async function bytesPerRecord(table = "idempotency_records") {
  const { rows } = await pools[0].query<{ row: number; withIndexes: number }>(
    `SELECT avg(pg_column_size(r.*))::float8 AS row,
       (pg_total_relation_size('${table}') / count(*))::float8 AS "withIndexes"
     FROM ${table} AS r`,
  );
  return mustExist(rows[0], "a row");
}

async function countOf(state: string): Promise<number> {
  const { rows } = await pools[0].query<{ count: number }>(
    "SELECT count(*)::int FROM idempotency_records WHERE state = $1",
    [state],
  );
  return mustExist(rows[0], "a row").count;
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}
