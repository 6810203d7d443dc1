import { setTimeout as sleep } from "node:timers/promises";
import type { Pool } from "pg";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Code } from "../../../src/idempotency/answers/code.js";
import type { Reply } from "../../../src/idempotency/answers/reply.js";
import type { Run } from "../../../src/idempotency/execution/attempt.js";
import { createExecutor } from "../../../src/idempotency/execution/executor.js";
import {
  createPostgresStore,
  idempotencyMigrations,
  migrate,
  openDatabase,
} from "../../../src/stores/postgres/index.js";
import { callError, callOf, gate, holdPolicy, ok } from "../../support/idempotency/calls.js";
import { createDatabase, type TestDatabase } from "../../support/servers/postgres.js";
import { waitUntil } from "../../support/service/service-process.js";

const BATCH = 100;

/**
 * A batch waits half a second for a lock, and each of its items a tenth of one:
 * with twenty rows that others hold, about two in all, and more on a busy
 * machine. A statement's own limit is ten. Milliseconds.
 */
const NEIGHBOURS_BOUND_MS = 8_000;

/** Any step takes less, on a busy machine too. Milliseconds. */
const STEP_LIMIT_MS = 20_000;

let database: TestDatabase;
let pool: Pool;
/** Beside the pool, whose connections may all be taken. */
let observer: pg.Client;

beforeAll(async () => {
  database = await createDatabase();
  observer = new pg.Client({ connectionString: database.url });
  await observer.connect();
  pool = openDatabase(database.url, () => {});
  await migrate(pool, idempotencyMigrations);
});
afterAll(async () => {
  await pool?.end();
  await observer?.end();
  await database?.drop();
});

/** Holds the records of keys until the returned function is called. */
async function lockRecords(keys: readonly string[]): Promise<() => Promise<void>> {
  const locker = new pg.Client({ connectionString: database.url });
  await locker.connect();
  await locker.query("BEGIN");
  const { rowCount } = await locker.query(
    "SELECT FROM idempotency_records WHERE idempotency_key = ANY($1) FOR UPDATE",
    [keys],
  );
  expect(rowCount).toBe(keys.length);
  return async () => {
    await locker.query("ROLLBACK");
    await locker.end();
  };
}

/** How many connections wait for a lock. */
async function blocked(): Promise<number> {
  const { rowCount } = await observer.query(
    `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
  );
  return rowCount ?? 0;
}

/** Whether the claim of a key is alive. */
async function isLeased(key: string | undefined): Promise<boolean> {
  const { rowCount } = await observer.query(
    "SELECT FROM idempotency_records WHERE idempotency_key = $1 AND lease_until > clock_timestamp()",
    [key],
  );
  return rowCount === 1;
}

/** Calls whose handlers run until the test lets them end, all at once. */
async function startCalls(end: Run<never>, policy = holdPolicy) {
  const executor = createExecutor({ store: createPostgresStore(pool) });
  const mayEnd = gate<void>();
  let running = 0;
  const calls = Array.from({ length: BATCH }, () =>
    callOf({
      policy,
      async run(execution) {
        running += 1;
        await mayEnd.opened;
        return end(execution);
      },
    }),
  );
  const replies = calls.map((call) => executor.execute(call));
  await waitUntil(() => running === BATCH, STEP_LIMIT_MS);
  return {
    executor,
    replies,
    keys: calls.map(({ scope }) => scope.key),
    end: () => mayEnd.open(),
  };
}

/** How many of them are there by now. */
async function arrived(replies: readonly Promise<Reply>[]): Promise<number> {
  const pending = Symbol("pending");
  const now = await Promise.all(replies.map((reply) => Promise.race([reply, pending])));
  return now.filter((reply) => reply !== pending).length;
}

const ways: [string, Run<never>, Code][] = [
  ["an answer", async () => ok(), Code.OK],
  ["nothing done", () => Promise.reject(callError(Code.INVALID_ARGUMENT)), Code.INVALID_ARGUMENT],
  ["an unknown outcome", () => Promise.reject(new Error("no reply")), Code.UNAVAILABLE],
];

describe.each(ways)("of a hundred calls that end together with %s", (_, end, code) => {
  it.each([1, 20])(
    "%i whose records others hold hold up none of their neighbours, and end as they would once they are free",
    async (count) => {
      const calls = await startCalls(end);
      const unlock = await lockRecords(calls.keys.slice(0, count));
      const [held, free] = [calls.replies.slice(0, count), calls.replies.slice(count)];
      const endedAtMs = performance.now();
      calls.end();
      for (const reply of await Promise.all(free)) {
        expect(reply.code).toBe(code);
      }
      // Nor do they hold up what comes after them.
      expect(await calls.executor.execute(callOf({ run: end }))).toMatchObject({ code });
      expect(performance.now() - endedAtMs).toBeLessThan(NEIGHBOURS_BOUND_MS);
      expect(await arrived(held)).toBe(0);
      await unlock();
      for (const reply of await Promise.all(held)) {
        expect(reply.code).toBe(code);
      }
    },
  );
});

it("heartbeats wait for no record that others hold, and those of their neighbours arrive", async () => {
  const leaseMs = 2_000;
  const calls = await startCalls(async () => ok(), { ...holdPolicy, leaseMs });
  const unlock = await lockRecords(calls.keys.slice(0, BATCH / 4));
  const untilMs = performance.now() + 1.5 * leaseMs;
  while (performance.now() < untilMs) {
    expect(await blocked()).toBe(0);
    await sleep(20);
  }
  expect(await isLeased(calls.keys.at(-1))).toBe(true);
  const sentAtMs = performance.now();
  const reply = await calls.executor.execute(callOf({ run: async () => ok() }));
  expect(reply.code).toBe(Code.OK);
  expect(performance.now() - sentAtMs).toBeLessThan(NEIGHBOURS_BOUND_MS);
  expect(await arrived(calls.replies)).toBe(0);
  await unlock();
  calls.end();
  for (const answer of await Promise.all(calls.replies)) {
    expect(answer.code).toBe(Code.OK);
  }
});
