import { status } from "@grpc/grpc-js";
import type { Pool } from "pg";
import pg from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createExecutor } from "../../../src/idempotency/execution/executor.js";
import {
  createPostgresStore,
  idempotencyMigrations,
  migrate,
  openDatabase,
} from "../../../src/stores/postgres/index.js";
import { detailsOf, echo, echoed, serveEcho } from "../../fixtures/echo/grpc.js";
import { countingHandler, type EchoHandler, gate } from "../../fixtures/echo/handlers.js";
import type { RawAnswer } from "../../fixtures/echo/raw-client.js";
import { errorOf } from "../../support/idempotency/replies.js";
import { createDatabase, type TestDatabase } from "../../support/servers/postgres.js";
import { waitUntil } from "../../support/service/service-process.js";

/** Claims that are on their way at once, whatever may wait. */
const LANES = 2;

/** Any step takes less, on a busy machine too. Milliseconds. */
const STEP_LIMIT_MS = 9_000;

let database: TestDatabase;
let pool: Pool;

beforeAll(async () => {
  database = await createDatabase();
  pool = openDatabase(database.url, () => {});
  await migrate(pool, idempotencyMigrations);
});
afterAll(async () => {
  await pool?.end();
  await database?.drop();
});

/** Lets no process write a record until the returned function is called. */
async function stopWrites(): Promise<() => Promise<void>> {
  const locker = new pg.Client({ connectionString: database.url });
  await locker.connect();
  await locker.query("BEGIN; LOCK TABLE idempotency_records IN SHARE MODE");
  return async () => {
    await locker.query("COMMIT");
    await locker.end();
  };
}

const untilBlocked = (count: number) =>
  waitUntil(async () => {
    const { rowCount } = await pool.query(
      `SELECT FROM pg_stat_activity WHERE datname = current_database()
         AND wait_event_type = 'Lock' AND query LIKE '%idempotency_records%'`,
    );
    return rowCount === count;
  }, STEP_LIMIT_MS);

function recordsOf(keys: readonly string[]) {
  return pool.query("SELECT FROM idempotency_records WHERE idempotency_key = ANY($1)", [keys]);
}

function errorIn({ trailers }: RawAnswer) {
  const details = trailers["grpc-status-details-bin"]?.[0];
  return errorOf({
    trailers: details instanceof Uint8Array ? [["grpc-status-details-bin", details]] : [],
  });
}

it("a store with too much to do refuses calls before it claims anything, and no owner loses its outcome", async () => {
  const mayEnd = gate();
  const began = gate();
  const { counter, handler } = countingHandler();
  const act: EchoHandler = async (call, callback) => {
    if (call.request.text === "owner") {
      began.open();
      await mayEnd.opened;
    }
    handler(call, callback);
  };
  const store = createPostgresStore(pool, { maxWaitingClaims: 1 });
  const executor = createExecutor<never>({ store });
  const { call } = await serveEcho({ act, read: act }, { executor });
  const send = (key: string) => call(echo({ key, text: key }));
  const owner = send("owner");
  await began.opened;

  const resume = await stopWrites();
  const admitted: Promise<RawAnswer>[] = [];
  for (let lane = 1; lane <= LANES; lane += 1) {
    admitted.push(send(`admitted-${lane}`));
    await untilBlocked(lane);
  }
  // Of the next, all at once, one may wait.
  const keys = Array.from({ length: 10 }, (_, index) => `flood-${index}`);
  const refused: RawAnswer[] = [];
  const flood = Promise.all(
    keys.map(async (key) => {
      const answer = await send(key);
      if (answer.code !== status.OK) {
        refused.push(answer);
      }
      return { key, answer };
    }),
  );
  await waitUntil(async () => refused.length === keys.length - 1, STEP_LIMIT_MS);
  for (const answer of refused) {
    expect(answer.code).toBe(status.RESOURCE_EXHAUSTED);
    expect(detailsOf(answer)).toMatchObject({ reason: "OVERLOADED", next: "retry_same_key" });
    expect(errorIn(answer).retryDelayMs).toBe(1_000);
    expect(answer.trailers["grpc-retry-pushback-ms"]).toEqual(["1000"]);
  }
  // An owner is not refused, however much waits.
  mayEnd.open();
  await untilBlocked(LANES + 1);
  await resume();

  expect(echoed(await owner).text).toBe("owner");
  for (const answer of await Promise.all(admitted)) {
    expect(answer.code).toBe(status.OK);
  }
  const refusedKeys = (await flood).flatMap(({ key, answer }) =>
    answer.code === status.OK ? [] : [key],
  );
  expect(refusedKeys).toHaveLength(keys.length - 1);
  expect((await recordsOf(refusedKeys)).rowCount).toBe(0);
  for (const key of refusedKeys) {
    expect(echoed(await send(key)).text).toBe(key);
  }
  expect(counter.executions).toBe(1 + LANES + keys.length);
});
