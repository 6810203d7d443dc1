import pg from "pg";
import { describe, expect, it } from "vitest";
import { CaptureMethod } from "../../src/gen/payonce/payments/v1/payments_pb.js";
import { paymentOf, refusalOf, untilAnswered } from "../support/payments-client.js";
import { waitUntil } from "../support/service-process.js";
import { type BuildUnderTest, runOn } from "./build.js";

/** Until a busy machine has brought a call to the payment, or a connection to its end. */
const ARRIVAL_LIMIT_MS = 20_000;

/**
 * An owner reads a payment of which nothing is captured yet, and is stopped
 * before it refuses the refund. By the time it wakes up the payment is captured,
 * and another owner of the same key has refunded it.
 */
async function refuseLate({ start, database, pool, violations }: BuildUnderTest) {
  const [owner, other] = await Promise.all([start(), start()]);
  const request = paymentOf("tok_visa", { captureMethod: CaptureMethod.MANUAL });
  const { response } = await other.client.createPayment(request, "payment");
  const paymentId = response?.payment?.id ?? "";

  const payment = await holdPayment(database.url, paymentId);
  const late = owner.client.refundPayment({ paymentId }, "refund");
  const connection = await waitingFor(pool, payment.pid);
  owner.service.kill("SIGSTOP");
  await payment.release();
  await endIdle(pool, connection);

  await other.client.capturePayment({ paymentId }, "capture");
  const { answer } = await untilAnswered(() => other.client.refundPayment({ paymentId }, "refund"));
  owner.service.kill("SIGCONT");
  return {
    refunded: answer.response?.payment?.refunded?.minorUnits,
    late: refusalOf(await late).reason,
    violations: await violations(),
  };
}

/** Locks a payment's row, so that an operation on it waits. */
async function holdPayment(databaseUrl: string, paymentId: string) {
  const holder = new pg.Client({ connectionString: databaseUrl });
  holder.on("error", () => {}); // a test that fails drops the database under it
  await holder.connect();
  await holder.query("BEGIN");
  const { rows } = await holder.query<{ pid: number }>(
    "SELECT pg_backend_pid() AS pid FROM payments WHERE id = $1 FOR UPDATE",
    [paymentId],
  );
  return { pid: rows[0]?.pid, release: () => holder.end() };
}

/** Resolves with the connection that waits for what another one holds. */
async function waitingFor(pool: pg.Pool, holder: number | undefined): Promise<number> {
  let waiting: number | undefined;
  await waitUntil(async () => {
    const { rows } = await pool.query<{ pid: number }>(
      "SELECT pid FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid))",
      [holder],
    );
    waiting = rows[0]?.pid;
    return waiting !== undefined;
  }, ARRIVAL_LIMIT_MS);
  return waiting ?? 0;
}

/** Ends a connection that has got its row, as Postgres itself does with one that stays idle. */
async function endIdle(pool: pg.Pool, pid: number): Promise<void> {
  const stateOf = async () => {
    const { rows } = await pool.query<{ state: string }>(
      "SELECT state FROM pg_stat_activity WHERE pid = $1",
      [pid],
    );
    return rows[0]?.state;
  };
  await waitUntil(async () => (await stateOf()) === "idle in transaction", ARRIVAL_LIMIT_MS);
  await pool.query("SELECT pg_terminate_backend($1)", [pid]);
  await waitUntil(async () => (await stateOf()) === undefined, ARRIVAL_LIMIT_MS);
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
