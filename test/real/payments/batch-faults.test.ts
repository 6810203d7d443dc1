import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Code } from "../../../src/idempotency/answers/code.js";
import type { Reply } from "../../../src/idempotency/answers/reply.js";
import { startTcpProxy } from "../../support/calls/tcp-proxy.js";
import { reasonOf } from "../../support/idempotency/replies.js";
import { withOptions } from "../../support/servers/postgres.js";
import { waitUntil } from "../../support/service/service-process.js";
import {
  createAll,
  holdAnswers,
  newKeys,
  type PaymentCalls,
  type PaymentProcess,
  paymentIn,
  startPaymentCalls,
  terms,
  untilFinal,
} from "./calls.js";

/**
 * A batch gives a lock up after half a second, each of its items after a tenth of
 * one, and the statements' own limit is ten: whoever has its answer by then was
 * not held up. Milliseconds.
 */
const BOUND_MS = 8_000;

/** Any step takes less, on a busy machine too. Milliseconds. */
const STEP_LIMIT_MS = 20_000;

/** The name of the statement with which claims are made and payments begin. */
const CLAIM = Buffer.from("payments_claim_and_begin\0");

let payments: PaymentCalls;
let service: PaymentProcess;

beforeAll(async () => {
  payments = await startPaymentCalls();
  service = payments.open();
});
afterEach(() => payments.expectAudit());
afterAll(() => payments?.stop());

/** Waits until connections of the service wait for a lock, and returns their ids. */
async function untilBlocked(): Promise<readonly number[]> {
  await waitUntil(async () => (await payments.blocked()).length > 0, STEP_LIMIT_MS);
  return payments.blocked();
}

/** Locks rows until the returned function is called. */
async function lockRows(condition: string, names: readonly string[]): Promise<() => Promise<void>> {
  const locker = await payments.connect();
  await locker.query("BEGIN");
  const { rowCount } = await locker.query(`SELECT FROM ${condition} = ANY($1) FOR UPDATE`, [names]);
  expect(rowCount).toBe(names.length);
  return async () => {
    await locker.query("ROLLBACK");
  };
}

/** Locks rows of payments until the returned function is called. */
function lockPayments(ids: readonly string[]): Promise<() => Promise<void>> {
  return lockRows("payments WHERE id", ids);
}

/** Locks the records of calls until the returned function is called. */
function lockRecords(keys: readonly string[]): Promise<() => Promise<void>> {
  return lockRows("idempotency_records WHERE idempotency_key", keys);
}

/** Captures all of a payment, under a key of its own. */
function captureAll(paymentId: string, by = service): Promise<Reply> {
  return by.capture(`capture-${paymentId}`, { paymentId });
}

async function allOk(replies: readonly Promise<Reply>[]): Promise<boolean> {
  return (await Promise.all(replies)).every(({ code }) => code === Code.OK);
}

describe("rows that others hold", () => {
  it("three locked payments hold up none of their neighbours, and are captured once they are free", async () => {
    const ids = await createAll(service, newKeys("locked", 40));
    const unlock = await lockPayments(ids.slice(0, 3));
    const startedAtMs = performance.now();
    const [locked = [], free = []] = [ids.slice(0, 3), ids.slice(3, 20)].map((some) =>
      some.map((id) => captureAll(id)),
    );
    expect(await allOk(free)).toBe(true);
    expect(performance.now() - startedAtMs).toBeLessThan(BOUND_MS);

    // By now they wait beside the others, and hold up nobody at all.
    const laterAtMs = performance.now();
    expect(await allOk(ids.slice(20).map((id) => captureAll(id)))).toBe(true);
    expect(performance.now() - laterAtMs).toBeLessThan(BOUND_MS);
    await unlock();
    const captured = locked.map((first, index) =>
      untilFinal(() => captureAll(ids[index] ?? ""), first),
    );
    expect(await allOk(captured)).toBe(true);
  });

  it.each([1, 20])(
    "%i locked records among a hundred finishes hold up no other, and are answered once they are free",
    async (count) => {
      const { wrap, arrived, release } = holdAnswers();
      const process = payments.open({ wrap });
      const keys = newKeys("locked-record", 100);
      const replies = keys.map((key) => process.create(key, terms()));
      await waitUntil(async () => arrived() === keys.length, STEP_LIMIT_MS);
      const unlock = await lockRecords(keys.slice(0, count));
      const startedAtMs = performance.now();
      release();
      expect(await allOk(replies.slice(count))).toBe(true);
      expect(performance.now() - startedAtMs).toBeLessThan(BOUND_MS);
      const held = replies.slice(0, count);
      expect(await Promise.race([...held, sleep(0, "undecided")])).toBe("undecided");
      await unlock();
      expect(await allOk(held)).toBe(true);
    },
  );

  it("a deadlock ends one batch, and its payments are captured one by one", async () => {
    const ids = (await createAll(service, newKeys("deadlock", 10))).sort();
    const [first, last] = [ids[0], ids.at(-1)];
    // Found out by the service, well before it gives up waiting.
    const process = payments.open({ url: withOptions(payments.url, "-c deadlock_timeout=300ms") });
    const before = await deadlocks();
    const rival = await payments.connect();
    await rival.query("SET deadlock_timeout = '1min'");
    await rival.query("BEGIN");
    await lockOne(rival, last);
    const captures = ids.map((id) => captureAll(id, process));
    await untilBlocked();
    await lockOne(rival, first); // returns once the batch is rolled back
    const undecided = await Promise.race([Promise.all(captures), sleep(0, "undecided")]);
    expect(undecided).toBe("undecided");
    await rival.query("ROLLBACK");
    expect(await allOk(captures)).toBe(true);
    await process.close(); // a connection reports what it has met at its end
    await waitUntil(async () => (await deadlocks()) > before, STEP_LIMIT_MS);
  });
});

function deadlocks(): Promise<number> {
  return payments.count(
    "SELECT deadlocks AS count FROM pg_stat_database WHERE datname = current_database()",
  );
}

function lockOne(client: pg.Client, id: string | undefined) {
  return client.query("SELECT FROM payments WHERE id = $1 FOR UPDATE", [id]);
}

describe("a connection that is lost in the middle of a batch", () => {
  const CALLS = 30;

  it("which claims and begins: none has begun, and each is repeated at once", async () => {
    const keys = newKeys("lost-claims", CALLS);
    const rival = await payments.connect();
    await rival.query("BEGIN; LOCK TABLE payments IN SHARE MODE"); // inserts wait
    const replies = keys.map((key) => service.create(key, terms()));
    await payments.terminate(await untilBlocked());
    await rival.query("ROLLBACK");
    const ids = (await Promise.all(replies)).map((reply) => paymentIn(reply).id);
    expect(new Set(ids).size).toBe(CALLS);
  });

  it("which finishes: all of them are unknown, and each has its one effect", async () => {
    const { wrap, arrived, release } = holdAnswers();
    const process = payments.open({ wrap });
    const keys = newKeys("lost-finishes", CALLS);
    const sent = Promise.all(keys.map((key) => process.create(key, terms())));
    await waitUntil(async () => arrived() === CALLS, STEP_LIMIT_MS);
    const { rows } = await payments.pool.query<{ payment_id: string }>(
      "SELECT payment_id FROM operations WHERE state = 'pending'",
    );
    const unlock = await lockPayments(rows.map(({ payment_id }) => payment_id));
    release();
    // What comes while the first batch waits is lost too.
    await untilBlocked();
    const isDone = sent.then(() => true);
    while (!(await Promise.race([isDone, sleep(20, false)]))) {
      await payments.terminate(await payments.blocked());
    }
    const replies = await sent;
    expect(replies.map((reply) => reasonOf(reply))).toEqual(keys.map(() => "OUTCOME_UNKNOWN"));
    await unlock();
    const final = await Promise.all(
      keys.map((key) => untilFinal(() => process.create(key, terms()))),
    );
    expect(new Set(final.map((reply) => paymentIn(reply).id)).size).toBe(CALLS);
  });

  it("after the commit of claims that began payments: each goes on with what has begun", async () => {
    const proxy = await startTcpProxy(Number(new URL(payments.url).port));
    const url = new URL(payments.url);
    url.port = String(proxy.port);
    const process = payments.open({ url: url.href });
    const [warm = "", ...keys] = newKeys("lost-commit", CALLS);
    await process.create(warm, terms());
    const lost = proxy.loseReplyTo(CLAIM);
    const replies = keys.map((key) => process.create(key, terms()));
    await lost;
    const final = await Promise.all(
      keys.map((key, index) => {
        const again = () => process.create(key, terms());
        return untilFinal(again, replies[index]);
      }),
    );
    const ids = final.map((reply) => paymentIn(reply).id);
    expect(await payments.transactionsOf(ids, 1)).toBe(1);
    expect(
      await payments.count("SELECT count(*) FROM payment_events WHERE payment_id = ANY($1)", ids),
    ).toBe(2 * keys.length);
    await proxy.close();
  });
});
