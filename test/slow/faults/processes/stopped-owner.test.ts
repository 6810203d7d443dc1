import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { FaultAction } from "../../../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import { Code } from "../../../../src/idempotency/answers/code.js";
import { holdAt, installBreakpoints, type Point } from "../../../support/faults/breakpoints.js";
import {
  type FaultCluster,
  LEASE_MS,
  seconds,
  startFaultCluster,
  tell,
} from "../../../support/faults/fault-cluster.js";
import {
  answerOf,
  isReplayed,
  type PaymentsClient,
  paymentOf,
  refusalOf,
} from "../../../support/payments/payments-client.js";
import { processorKeyOfCall } from "../../../support/service/processor.js";
import { type ServiceProcess, waitUntil } from "../../../support/service/service-process.js";
import { beginWaitingPayment } from "../../../support/service/waiting-payment.js";

/** Over by the time the owner wakes up, so that it finds the processor's reply. */
const PROCESSOR_DELAY_MS = LEASE_MS;

/** What a late owner may still send needs this long to arrive, and more. */
const AFTERMATH_MS = 500;

/** Any commit takes less, on a busy machine too. */
const COMMIT_LIMIT_MS = 20_000;

let cluster: FaultCluster;
let survivor: ServiceProcess;
let owner: ServiceProcess;
let atSurvivor: PaymentsClient;
let atOwner: PaymentsClient;

beforeAll(async () => {
  cluster = await startFaultCluster({ services: 0 });
  survivor = await cluster.addService();
  await installBreakpoints(cluster.pool);
  atSurvivor = cluster.connect(survivor);
});

afterAll(() => cluster?.stop());

beforeEach(async () => {
  owner = await cluster.addService();
  atOwner = cluster.connect(owner);
  return () => owner.stop();
});

describe("an owner that is stopped past its lease, and wakes up after recovery", () => {
  it("before the processor is asked: changes nothing", async () => {
    const hold = await holdAt(cluster.database.url, "begin, at its commit");
    const key = "before-the-processor-is-asked";
    const call = atOwner.createPayment(paymentOf("tok_visa"), key);
    await hold.reached();
    owner.kill("SIGSTOP");
    await hold.release();
    // Postgres carries the statement out by itself; until then there is nothing to recover.
    await waitUntil(async () => (await cluster.recordOf(key)) !== undefined, COMMIT_LIMIT_MS);
    await expectLateOwnerChangesNothing(key, call);
  });

  it.each([
    ["while the processor is asked", FaultAction.DELAY_BEFORE],
    ["after the processor has acted, before its reply is read", FaultAction.DELAY_AFTER],
  ] as const)("%s: changes nothing", async (when, action) => {
    const key = when.replaceAll(/[ ,]+/g, "-");
    const { result } = await beginWaitingPayment({
      processor: cluster.processor,
      key,
      action,
      delayMs: PROCESSOR_DELAY_MS,
      send: () => atOwner.createPayment(paymentOf("tok_visa"), key),
    });
    owner.kill("SIGSTOP");
    await expectLateOwnerChangesNothing(key, result);
  });

  // The statement is its own commit: Postgres carries it out, whoever sleeps meanwhile.
  it.each([
    ["within its last statement", "finish, before the ledger"],
    ["within its commit", "finish, at its commit"],
  ] as const satisfies readonly (readonly [string, Point])[])(
    "%s: its answer is the one that all others have got",
    async (when, point) => {
      const key = when.replaceAll(" ", "-");
      const hold = await holdAt(cluster.database.url, point);
      const call = atOwner.createPayment(paymentOf("tok_visa"), key);
      await hold.reached();
      owner.kill("SIGSTOP");
      await hold.release();
      await cluster.recovered();
      await sleep(LEASE_MS);
      const replay = await atSurvivor.createPayment(paymentOf("tok_visa"), key);
      owner.kill("SIGCONT");
      const late = await call;
      tell(`stopped owner pid ${owner.pid}: ${when}; its late answer equals the replay`);
      expect(isReplayed(replay)).toBe(true);
      expect(isReplayed(late)).toBe(false);
      expect(answerOf(late)).toEqual(answerOf(replay));
      await cluster.expectOneCharge(key);
    },
  );

  it("violates no invariant wherever it was", () => cluster.expectNothingViolated());
});

async function expectLateOwnerChangesNothing(
  key: string,
  call: ReturnType<PaymentsClient["createPayment"]>,
): Promise<void> {
  const recoveredAfterMs = await cluster.recovered();
  const replay = await atSurvivor.createPayment(paymentOf("tok_visa"), key);
  expect(isReplayed(replay)).toBe(true);
  const before = await everyRow();

  owner.kill("SIGCONT");
  const late = await call;
  await sleep(AFTERMATH_MS);
  const calls = await cluster.processor.callsOf(processorKeyOfCall("CreatePayment", key));
  tell(
    `stopped owner pid ${owner.pid}: ${key}; recovered after ${seconds(recoveredAfterMs)}, processor calls ${calls}, effects 1`,
  );
  expect(refusalOf(late)).toMatchObject({ code: Code.ABORTED, reason: "CLAIM_LOST" });
  expect(await everyRow()).toEqual(before);
  await cluster.expectOneCharge(key);
  const atLateOwner = await atOwner.createPayment(paymentOf("tok_visa"), key);
  expect(answerOf(atLateOwner)).toEqual(answerOf(replay));
}

/** All that the database holds of payments and keys, as text. */
async function everyRow(): Promise<readonly string[]> {
  const tables = ["payments", "operations", "ledger_entries", "payment_events"];
  const { rows } = await cluster.pool.query<{ row: string }>(
    [...tables, "idempotency_records", "idempotency_events"]
      .map((table) => `SELECT t::text AS row FROM ${table} t`)
      .join(" UNION ALL "),
  );
  return rows.map(({ row }) => row).sort();
}
