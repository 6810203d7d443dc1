import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { afterAll, afterEach, beforeAll, expect, it, vi } from "vitest";
import type { Execution } from "../../../src/idempotency/execution/call.js";
import {
  approve,
  captureRequest,
  type PaymentsUnderTest,
  scripted,
  startPayments,
} from "./support.js";

// Whoever locks a payment before its claim, beside one who does the reverse,
// waits for the other for good. So each step of an operation locks claims
// first, however long anything in between takes.

let payments: PaymentsUnderTest;
beforeAll(async () => {
  payments = await startPayments();
});
afterAll(() => payments?.stop());
afterEach(() => {
  vi.restoreAllMocks();
});

const CLAIM_LOCK = "idempotency_hold_ownership";
const PAYMENT_LOCK = "payments_lock";

/** An execution whose store takes its time before it sends anything. */
function delayed(execution: Execution<pg.PoolClient>): Execution<pg.PoolClient> {
  const { ownership } = execution;
  const { store } = ownership;
  return {
    ...execution,
    ownership: {
      ...ownership,
      store: {
        async ownWithin(transaction, claims, onSent) {
          await sleep(20);
          return store.ownWithin(transaction, claims, onSent);
        },
        async completeWithin(transaction, completions) {
          await sleep(20);
          return store.completeWithin(transaction, completions);
        },
      },
    },
  };
}

/** The names of the statements that are sent from now on, in their order. */
function statementNames(): readonly string[] {
  const names: string[] = [];
  const query = pg.Client.prototype.query;
  vi.spyOn(pg.Client.prototype, "query").mockImplementation(function (
    this: pg.Client,
    ...parameters: Parameters<typeof query>
  ) {
    const [statement] = parameters;
    const { name } = typeof statement === "object" ? (statement as pg.QueryConfig) : {};
    names.push(name ?? "");
    return query.apply(this, parameters);
  } as typeof query);
  return names;
}

it("claims are locked before payments, also where the store sends late", async () => {
  const id = await payments.createPayment("created");
  const context = await payments.claim("CapturePayment", "captured");
  const service = payments.serve(scripted(approve));
  const names = statementNames();
  await service.capturePayment(captureRequest(id), {
    ...context,
    execution: delayed(context.execution),
  });
  const locks = names.filter((name) => [CLAIM_LOCK, PAYMENT_LOCK].includes(name));
  expect(locks).toEqual([CLAIM_LOCK, PAYMENT_LOCK, CLAIM_LOCK, PAYMENT_LOCK]); // begin, finish
});
