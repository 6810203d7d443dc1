import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { PaymentService } from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import { Code } from "../../../src/idempotency/answers/code.js";
import { openRawGrpc, type RawGrpc } from "../../support/calls/raw-grpc.js";
import { openPayments, type PaymentsClient } from "../../support/payments/payments-client.js";
import { type Cluster, startCluster } from "../../support/service/cluster.js";

/** How long a payment may take beside all that; alone it takes a hundredth of a second. Milliseconds. */
const PAYMENT_LIMIT_MS = 2_000;

/** A machine that is busy with other work slows down each payment, by as much as those made alone show. */
const TIMES_ALONE = 20;

const { createPayment, listPayments } = PaymentService.method;

let cluster: Cluster;
let payments: PaymentsClient;
let attacker: RawGrpc;
let limitMs: number;

beforeEach(async () => {
  cluster = await startCluster({ services: 1 });
  payments = openPayments(cluster.targets()[0] ?? "");
  limitMs = PAYMENT_LIMIT_MS + TIMES_ALONE * (await slowestPaymentMs());
});
afterEach(async () => {
  attacker?.close();
  payments?.close();
  await cluster?.stop();
});

const amount = { currencyCode: "EUR", minorUnits: 1_999n };
const paymentBy = (paymentMethod: string) => ({
  amount,
  paymentMethod,
  merchantReference: "order",
});

/** A payment that may be told to come again, as its client would, for some seconds. */
async function payUntilTaken(startedAtMs: number): Promise<void> {
  const key = randomUUID();
  for (;;) {
    const { code } = await payments.createPayment(paymentBy("tok_visa"), key);
    if (code !== Code.RESOURCE_EXHAUSTED || performance.now() - startedAtMs > 10_000) {
      expect(code).toBe(Code.OK);
      return;
    }
    await sleep(100);
  }
}

/** How long the slowest of some correct payments took, one after the other. */
async function slowestPaymentMs(): Promise<number> {
  let slowestMs = 0;
  for (let sent = 0; sent < 10; sent += 1) {
    const startedAtMs = performance.now();
    await payUntilTaken(startedAtMs);
    slowestMs = Math.max(slowestMs, performance.now() - startedAtMs);
    await sleep(50);
  }
  return slowestMs;
}

async function countPayments(): Promise<number> {
  const client = new pg.Client({ connectionString: cluster.database.url });
  await client.connect();
  try {
    const { rows } = await client.query<{ count: number }>("SELECT count(*)::int FROM payments");
    return rows[0]?.count ?? Number.NaN;
  } finally {
    await client.end();
  }
}

describe("a payment is made in time", () => {
  it("beside calls that are reset at once, of which hardly any begins", async () => {
    attacker = openRawGrpc(cluster.targets()[0] ?? "");
    const calls = 5_000;
    for (let sent = 0; sent < calls; sent += 1) {
      attacker.send(createPayment, paymentBy("tok_visa"), randomUUID()).close();
      if (sent % 500 === 0) {
        await sleep(1);
      }
    }
    expect(await slowestPaymentMs()).toBeLessThan(limitMs);
    expect(await countPayments()).toBeLessThan(calls / 50);
  });

  it("beside lists that nobody reads", async () => {
    for (let sent = 0; sent < 100; sent += 1) {
      await payments.createPayment(paymentBy("tok_visa"), randomUUID());
    }
    attacker = openRawGrpc(cluster.targets()[0] ?? "", { initialWindowSize: 0 });
    for (let sent = 0; sent < 1_000; sent += 1) {
      attacker.send(listPayments, { pageSize: 100 });
    }
    expect(await slowestPaymentMs()).toBeLessThan(limitMs);
  });

  it("beside thousands that wait for the processor", async () => {
    attacker = openRawGrpc(cluster.targets()[0] ?? "");
    // As many come within the time that the processor may take.
    for (let sent = 0; sent < 3_000; sent += 10) {
      for (let at = 0; at < 10; at += 1) {
        attacker.send(createPayment, paymentBy("tok_never"), randomUUID());
      }
      await sleep(25);
    }
    expect(await slowestPaymentMs()).toBeLessThan(limitMs);
  });
});
