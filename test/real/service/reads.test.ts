import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Code } from "../../../src/idempotency/answers/code.js";
import {
  openPayments,
  type PaymentsClient,
  refusalOf,
} from "../../support/payments/payments-client.js";
import { type Cluster, startCluster } from "../../support/service/cluster.js";

const READERS = 40;
const READ_CONNECTIONS = 3;

/** Short, so that a test sees it pass. Milliseconds. */
const READ_TIMEOUT_MS = 500;

/** What a payment may take more than alone, on a machine that is busy with other work. */
const TIMES_ALONE = 20;
const GRACE_MS = 500;

/** Finds the service's sessions of one kind by the last statement of each. */
const BACKENDS = `SELECT pid FROM pg_stat_activity
  WHERE datname = current_database() AND application_name = 'payonce' AND state = 'idle'
    -- What waits is looked for by sessions of another kind.
    AND query LIKE $1 AND query NOT LIKE '%look_time <=%'`;

let cluster: Cluster;
let payments: PaymentsClient;
let admin: pg.Client;
let stopped: number[];

beforeEach(async () => {
  stopped = [];
  cluster = await startCluster({
    services: 1,
    env: {
      DATABASE_READ_CONNECTIONS: String(READ_CONNECTIONS),
      DATABASE_READ_TIMEOUT_MS: String(READ_TIMEOUT_MS),
    },
  });
  payments = openPayments(cluster.targets()[0] ?? "");
  admin = new pg.Client({ connectionString: cluster.database.url });
  await admin.connect();
});
afterEach(async () => {
  for (const pid of stopped) {
    process.kill(pid, "SIGCONT");
  }
  payments?.close();
  await admin?.end();
  await cluster?.stop();
});

async function pay(): Promise<string> {
  const { code, response } = await payments.createPayment(
    { amount: { currencyCode: "EUR", minorUnits: 1_999n }, paymentMethod: "tok_visa" },
    randomUUID(),
  );
  expect(code).toBe(Code.OK);
  return response?.payment?.id ?? "";
}

/** How long the slowest of some payments took, one after the other. Milliseconds. */
async function slowestPaymentMs(): Promise<number> {
  let slowestMs = 0;
  for (let made = 0; made < 20; made += 1) {
    const startedAtMs = performance.now();
    await pay();
    slowestMs = Math.max(slowestMs, performance.now() - startedAtMs);
  }
  return slowestMs;
}

/** Reads that go on until they are told to stop: how many were answered with each code. */
function startReaders() {
  const codes = new Map<Code, number>();
  let isOver = false;
  const readers = Array.from({ length: READERS }, async () => {
    while (!isOver) {
      const { code } = await payments.listPayments({ pageSize: 1_000 });
      codes.set(code, (codes.get(code) ?? 0) + 1);
      await sleep(1);
    }
  });
  return {
    async stop() {
      isOver = true;
      await Promise.all(readers);
      return codes;
    },
  };
}

describe("beside 40 readers", () => {
  it("payments are made as fast as alone, though no connection of the reads answers", async () => {
    const limitMs = GRACE_MS + TIMES_ALONE * (await slowestPaymentMs());
    // Each connection of the pool has read something.
    await Promise.all(
      Array.from({ length: 10 * READ_CONNECTIONS }, () => payments.listPayments({})),
    );
    const { rows } = await admin.query<{ pid: number }>(BACKENDS, ["%FROM payments%create_time%"]);
    expect(rows).toHaveLength(READ_CONNECTIONS);
    for (const { pid } of rows) {
      process.kill(pid, "SIGSTOP");
      stopped.push(pid);
    }
    const readers = startReaders();
    await sleep(100);
    expect(await slowestPaymentMs()).toBeLessThan(limitMs);
    for (const pid of stopped.splice(0)) {
      process.kill(pid, "SIGCONT");
    }
    const codes = await readers.stop();
    for (const code of codes.keys()) {
      expect([Code.OK, Code.UNAVAILABLE]).toContain(code);
    }
  });

  it("payments are made in time, though the readers page through many large ones", async () => {
    const limitMs = GRACE_MS + TIMES_ALONE * (await slowestPaymentMs());
    await admin.query(`INSERT INTO payments (tenant, id, currency_code, amount, payment_method,
        capture_method, merchant_reference, description, metadata, status, version, authorized,
        captured, capturing, refunded, refunding, canceling, decline_code)
      SELECT 'default', 'pay_' || n, 'EUR', 1, '', 'AUTOMATIC', '', repeat('-', 500), '{}',
        'CAPTURED', 1, 1, 1, 0, 0, 0, false, ''
      FROM generate_series(1, 20000) AS n`);
    const readers = startReaders();
    await sleep(100);
    expect(await slowestPaymentMs()).toBeLessThan(limitMs);
    expect((await readers.stop()).get(Code.OK)).toBeGreaterThan(0);
  });
});

describe("a read that takes too long", () => {
  it("is ended by its own limit, and is to be sent again", async () => {
    const paymentId = await pay();
    await admin.query("BEGIN; LOCK TABLE ledger_entries");
    const startedAtMs = performance.now();
    const refused = refusalOf(await payments.listLedgerEntries({ paymentId }));
    expect(performance.now() - startedAtMs).toBeLessThan(READ_TIMEOUT_MS + 2_000);
    expect(refused).toMatchObject({ code: Code.UNAVAILABLE, reason: "STORE_UNAVAILABLE" });
    await admin.query("ROLLBACK");
    expect((await payments.listLedgerEntries({ paymentId })).code).toBe(Code.OK);
  });
});
