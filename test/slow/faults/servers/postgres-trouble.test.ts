import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Code } from "../../../../src/idempotency/answers/code.js";
import {
  type FaultCluster,
  startFaultCluster,
  tell,
} from "../../../support/faults/fault-cluster.js";
import {
  answerOf,
  isReplayed,
  type PaymentsClient,
  paymentOf,
  refusalOf,
  untilAnswered,
} from "../../../support/payments/payments-client.js";
import { waitUntil } from "../../../support/service/service-process.js";
import { expectOnceDuring } from "./under-load.js";

const TERMINATION_INTERVAL_MS = 150;
const UNDER_LOAD_MS = 2_500;

/** Longer than a caller waits for a connection of the pool for claims. */
const LOCKED_MS = 6_000;

/** Of each service's pools; see openDatabase. */
const MAX_CONNECTIONS = 10;

const ARRIVAL_LIMIT_MS = 20_000;

let cluster: FaultCluster;
let one: PaymentsClient;
let other: PaymentsClient;

beforeAll(async () => {
  cluster = await startFaultCluster({ services: 2 });
  one = cluster.connect(cluster.services[0]);
  other = cluster.connect(cluster.services[1]);
});

afterAll(() => cluster?.stop());

/** Ends all connections of the services and returns how many there were. */
async function terminateBackends(): Promise<number> {
  const { rowCount } = await cluster.pool.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = current_database() AND application_name = 'payonce'`,
  );
  return rowCount ?? 0;
}

describe("Postgres ends the connections of all services", () => {
  it("again and again under load: one charge for each key", async () => {
    let terminated = 0;
    const timer = setInterval(async () => {
      terminated += await terminateBackends();
    }, TERMINATION_INTERVAL_MS);
    try {
      await expectOnceDuring(cluster, {
        what: `backends terminated every ${TERMINATION_INTERVAL_MS} ms`,
        begin: () => {},
        lastsMs: UNDER_LOAD_MS,
        end: () => clearInterval(timer),
      });
    } finally {
      clearInterval(timer);
    }
    const running = await Promise.race([
      ...cluster.services.map(async ({ exited, output }) => `${await exited} ${output()}`),
      sleep(0, "all running"),
    ]);
    tell(`backends terminated: ${terminated}; services ${running}`);
    expect(running).toBe("all running");
    expect(terminated).toBeGreaterThan(MAX_CONNECTIONS);
  });
});

describe("a table is locked for longer than callers wait", () => {
  it.each(["idempotency_records", "payments"])(
    "%s: callers are told to retry, and each key is charged once",
    async (table) => {
      const locker = new pg.Client({ connectionString: cluster.database.url });
      await locker.connect();
      try {
        await expectOnceDuring(cluster, {
          what: `${table} locked for ${LOCKED_MS} ms`,
          begin: () => locker.query(`BEGIN; LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`),
          lastsMs: LOCKED_MS,
          async end() {
            const { rowCount } = await cluster.pool.query(
              `SELECT FROM pg_stat_activity WHERE datname = current_database()
                 AND application_name = 'payonce' AND wait_event_type = 'Lock'`,
            );
            await locker.query("COMMIT");
            tell(`${table} locked: ${rowCount} connections waited`);
          },
        });
      } finally {
        await locker.end();
      }
    },
  );

  it("by one flood of calls, which wait in a few batches: some are refused, none acts twice", async () => {
    const effectsBefore = await cluster.processor.countEffects();
    const locker = new pg.Client({ connectionString: cluster.database.url });
    await locker.connect();
    await locker.query("BEGIN; LOCK TABLE idempotency_records IN ACCESS EXCLUSIVE MODE");
    const keys = Array.from({ length: 3 * MAX_CONNECTIONS }, (_, index) => `flood-${index}`);
    const sent = keys.map((key) => one.createPayment(paymentOf("tok_visa"), key));
    await waitUntil(async () => {
      const { rowCount } = await cluster.pool.query(
        `SELECT FROM pg_stat_activity WHERE datname = current_database()
           AND wait_event_type = 'Lock' AND query LIKE '%idempotency_records%'`,
      );
      return (rowCount ?? 0) > 0;
    }, ARRIVAL_LIMIT_MS);
    await untilOneIsRefused(sent);
    await locker.query("COMMIT");
    await locker.end();
    const answered = await Promise.all(
      keys.map((key) => untilAnswered(() => other.createPayment(paymentOf("tok_visa"), key))),
    );
    const ids = new Set(answered.map(({ answer }) => answer.response?.payment?.id));
    expect(ids.size).toBe(keys.length);
    expect(await cluster.processor.countEffects()).toBe(effectsBefore + keys.length);
    tell(`batches of ${keys.length} calls stopped: some refused, effects ${ids.size}`);
  });
});

describe("a database that turns read-only", () => {
  const setReadOnly = async () => {
    const { pathname } = new URL(cluster.database.url);
    await cluster.pool.query(
      `ALTER DATABASE ${pathname.slice(1)} SET default_transaction_read_only = on`,
    );
    await terminateBackends(); // connections keep the setting they began with
  };

  it("says that it cannot be reached, charges nothing, and goes on when it is writable", async () => {
    const before = await one.createPayment(paymentOf("tok_visa"), "writable");
    const effects = await cluster.processor.countEffects();
    await setReadOnly();
    const refused = await one.createPayment(paymentOf("tok_visa"), "read-only");
    const replay = await one.createPayment(paymentOf("tok_visa"), "writable");
    expect(await cluster.processor.countEffects()).toBe(effects);
    await setWritable();

    expect(refusalOf(refused)).toMatchObject({
      code: Code.UNAVAILABLE,
      reason: "STORE_UNAVAILABLE",
      next: "retry_same_key",
    });
    expect(answerOf(replay)).toEqual(answerOf(before));
    const { answer } = await untilAnswered(() =>
      one.createPayment(paymentOf("tok_visa"), "read-only"),
    );
    expect(isReplayed(answer)).toBe(false);
    await cluster.expectOneCharge("read-only");
    tell("database read-only: call refused as STORE_UNAVAILABLE, effects 0; writable: effects 1");
  });

  it("under load: one charge for each key", async () => {
    await expectOnceDuring(cluster, {
      what: "database read-only for 1,500 ms",
      begin: setReadOnly,
      lastsMs: 1_500,
      end: setWritable,
    });
  });

  /** The test's own connections may be read-only as well. */
  async function setWritable(): Promise<void> {
    const client = new pg.Client({
      connectionString: cluster.database.url,
      options: "-c default_transaction_read_only=off",
    });
    await client.connect();
    const { pathname } = new URL(cluster.database.url);
    await client.query(`ALTER DATABASE ${pathname.slice(1)} RESET default_transaction_read_only`);
    await client.end();
    await terminateBackends();
  }
});

it("violates no invariant", async () => {
  await cluster.recovered();
  await cluster.expectNothingViolated();
});

/** Resolves once a call is refused because there is no connection for it. */
async function untilOneIsRefused(
  calls: readonly ReturnType<PaymentsClient["createPayment"]>[],
): Promise<void> {
  const first = await Promise.any(
    calls.map(async (call) => {
      const result = await call;
      if (result.code === Code.OK) {
        throw new Error("was answered");
      }
      return result;
    }),
  );
  expect(refusalOf(first)).toMatchObject({ code: Code.UNAVAILABLE, reason: "STORE_UNAVAILABLE" });
}
