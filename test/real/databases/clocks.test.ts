import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/idempotency/clock.js";
import { endImpossibleLeases, openDatabase } from "../../../src/stores/postgres/index.js";
import { expectAudit } from "../../support/operators/audit.js";
import { openPayments, paymentOf, untilAnswered } from "../../support/payments/payments-client.js";
import { onDatabase } from "../../support/servers/on-database.js";
import { type Cluster, startCluster } from "../../support/service/cluster.js";
import { openProcessor, type Processor } from "../../support/service/processor.js";
import { beginWaitingPayment } from "../../support/service/waiting-payment.js";

const LEASE_MS = 2_000;

let cluster: Cluster;
let processor: Processor;

beforeAll(async () => {
  const env = { IDEMPOTENCY_LEASE_MS: String(LEASE_MS) };
  cluster = await startCluster({ services: 0, env });
  processor = openProcessor(cluster.sandbox.address);
});

afterAll(async () => {
  processor?.close();
  await cluster?.stop();
});

/** A payment whose owner is gone; its claim ends at a time of the test's. */
async function abandoned(key: string, ahead: string): Promise<void> {
  const owner = await cluster.addService();
  const payments = openPayments(owner.grpcAddress);
  const { result } = await beginWaitingPayment({
    processor,
    key,
    delayMs: 1_000,
    send: () => payments.createPayment(paymentOf("tok_visa"), key),
  });
  await owner.stop();
  await result;
  payments.close();
  await setLease(key, ahead);
}

function setLease(key: string, ahead: string): Promise<unknown> {
  return onDatabase(cluster.database.url, (client) =>
    client.query(
      `UPDATE idempotency_records SET lease_until = clock_timestamp() + $2::interval
       WHERE idempotency_key = $1`,
      [key, ahead],
    ),
  );
}

describe("a claim from before the database's clock was set back by a day", () => {
  it("is taken over all the same, and its payment is made once", async () => {
    await abandoned("from-the-future", "1 day");
    const service = await cluster.addService();
    expect(service.output()).toContain("the database's clock was set back");
    const payments = openPayments(service.grpcAddress);
    const { answer } = await untilAnswered(() =>
      payments.createPayment(paymentOf("tok_visa"), "from-the-future"),
    );
    expect(answer.response?.payment?.id).toMatch(/\w/);
    payments.close();
    await expectAudit(cluster);
    await service.stop();
  });

  it("is found by processes that run on, and no lease that can be is touched", async () => {
    await abandoned("possible", "50 minutes");
    const pool = openDatabase(cluster.database.url, () => {});
    const counts: number[] = [];
    const rounds = await endImpossibleLeases(pool, {
      leaseMs: LEASE_MS,
      intervalMs: 100,
      clock: systemClock,
      onEnded: (count) => counts.push(count),
    });
    expect(counts).toEqual([]);
    await setLease("possible", "2 hours");
    await expect.poll(() => counts, { timeout: 10_000 }).toEqual([1]);
    await rounds.stop();
    await pool.end();
  });
});
