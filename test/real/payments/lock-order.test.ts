import type { PoolClient } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { waitUntil } from "../../support/service/service-process.js";
import {
  approve,
  captureRequest,
  dropReply,
  type PaymentsUnderTest,
  type Script,
  scripted,
  startPayments,
} from "./support.js";

// Whoever locks a payment before its claim, beside one who does the reverse,
// waits for the other for good. So each step of an operation locks claims
// first: one that has to wait for its claim holds no payment.

let payments: PaymentsUnderTest;
beforeAll(async () => {
  payments = await startPayments();
});
afterAll(() => payments?.stop());

const STEP_LIMIT_MS = 20_000;

/** Each step, what the processor does, and when the claim is locked by somebody else. */
const steps: readonly { step: string; answer: Script; locked: "before" | "asked" }[] = [
  { step: "begin", answer: approve, locked: "before" },
  { step: "finish", answer: approve, locked: "asked" },
  { step: "unknown", answer: dropReply, locked: "asked" },
];

describe.each(steps)("the step $step", ({ step, answer, locked }) => {
  it("locks claims before payments", async () => {
    const id = await payments.createPayment(`created-${step}`);
    const key = `captured-${step}`;
    const context = await payments.claim("CapturePayment", key);
    const rival = await payments.pool.connect();
    try {
      if (locked === "before") {
        await lockClaim(rival, key);
      }
      const processor = scripted(async (call) => {
        if (locked === "asked") {
          await lockClaim(rival, key);
        }
        return answer(call);
      });
      const capturing = payments.serve(processor).capturePayment(captureRequest(id), context);
      const ended = capturing.then(
        () => "answered",
        () => "unknown",
      );
      await untilWaiting(rival);
      const { rowCount } = await rival.query(
        "SELECT FROM payments WHERE id = $1 FOR UPDATE SKIP LOCKED",
        [id],
      );
      expect(rowCount).toBe(1);
      await rival.query("ROLLBACK");
      expect(await ended).toBe(answer === approve ? "answered" : "unknown");
    } finally {
      rival.release();
    }
  });
});

async function lockClaim(rival: PoolClient, key: string): Promise<void> {
  await rival.query("BEGIN");
  const { rowCount } = await rival.query(
    "SELECT FROM idempotency_records WHERE idempotency_key = $1 FOR UPDATE",
    [key],
  );
  expect(rowCount).toBe(1);
}

/** Waits until somebody waits for what the rival has locked. */
async function untilWaiting(rival: PoolClient): Promise<void> {
  const { rows } = await rival.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
  // On another connection: within a transaction the activity stays as it was first looked at.
  await waitUntil(async () => {
    const { rowCount } = await payments.pool.query(
      "SELECT FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid))",
      [rows[0]?.pid],
    );
    return rowCount === 1;
  }, STEP_LIMIT_MS);
}
