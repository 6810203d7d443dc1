import type pg from "pg";
import { describe, expect, it } from "vitest";
import { CaptureMethod } from "../../src/gen/payonce/payments/v1/payments_pb.js";
import { paymentOf, refusalOf, untilAnswered } from "../support/payments/payments-client.js";
import { waitUntil } from "../support/service/service-process.js";
import { type BuildUnderTest, runOn } from "./build.js";
import { hold, STOP_READING, type Waiting, waitingFor } from "./row-locks.js";

/** Until a busy machine has brought a call to the payment, or a connection to its end. */
const ARRIVAL_LIMIT_MS = 20_000;

/**
 * An owner refuses a refund, since nothing is captured yet, and is stopped
 * before that answer is stored. By the time it wakes up the payment is
 * captured, and another owner of the same key has refunded it.
 */
async function refuseLate({ start, database, pool, violations }: BuildUnderTest) {
  const [owner, other] = await Promise.all([start(), start()]);
  const request = paymentOf("tok_visa", { captureMethod: CaptureMethod.MANUAL });
  const { response } = await other.client.createPayment(request, "payment");
  const paymentId = response?.payment?.id ?? "";

  const reading = await hold(database.url, STOP_READING);
  await reading.held;
  const late = owner.client.refundPayment({ paymentId }, "refund");
  await waitUntil(async () => (await waitingFor(pool, reading)).length > 0, ARRIVAL_LIMIT_MS);
  // Has its turn between the owner's refusal and its storing of it.
  const record = await hold(
    database.url,
    "SELECT FROM idempotency_records WHERE idempotency_key = 'refund' FOR UPDATE",
  );
  await record.held;
  await reading.release();
  await waitUntil(async () => {
    const waiting = await waitingFor(pool, record);
    return waiting.some(({ query }) => query.includes("'completed'"));
  }, ARRIVAL_LIMIT_MS);
  owner.service.kill("SIGSTOP");
  await endAll(pool, await waitingFor(pool, record));
  await record.release();

  await other.client.capturePayment({ paymentId }, "capture");
  const { answer } = await untilAnswered(() => other.client.refundPayment({ paymentId }, "refund"));
  owner.service.kill("SIGCONT");
  return {
    refunded: answer.response?.payment?.refunded?.minorUnits,
    late: refusalOf(await late).reason,
    violations: await violations(),
  };
}

/** Ends connections as a database does that restarts: what they were asked for is not done. */
async function endAll(pool: pg.Pool, connections: readonly Waiting[]): Promise<void> {
  const pids = connections.map(({ pid }) => pid);
  await pool.query("SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS pid", [pids]);
  await waitUntil(async () => {
    const { rowCount } = await pool.query(
      "SELECT FROM pg_stat_activity WHERE pid = ANY ($1::int[])",
      [pids],
    );
    return rowCount === 0;
  }, ARRIVAL_LIMIT_MS);
}

describe("an owner that wakes up with an answer after another one has given another", () => {
  it("is told that its claim is lost", async () => {
    expect(await runOn("the product", refuseLate)).toEqual({
      refunded: 1_999n,
      late: "CLAIM_LOST",
      violations: [],
    });
  });

  it("gives its caller a second answer once fencing tokens are not compared", async () => {
    const { refunded, late, violations } = await runOn("without fencing", refuseLate);
    expect(refunded).toBe(1_999n);
    expect(late).toBe("PAYMENT_NOT_REFUNDABLE");
    expect(violations).toContainEqual(
      expect.stringMatching(/^I8: key "refund" .* got 2 different answers$/),
    );
    expect(violations).toContainEqual(
      expect.stringMatching(/^I12: key "refund" .* was executed 2 times$/),
    );
  });
});
