import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { FaultAction } from "../../../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import {
  type Hold,
  holdAt,
  installBreakpoints,
  type Point,
} from "../../../support/faults/breakpoints.js";
import {
  type FaultCluster,
  LEASE_MS,
  RECOVERY_INTERVAL_MS,
  seconds,
  startFaultCluster,
  tell,
} from "../../../support/faults/fault-cluster.js";
import {
  answerOf,
  byKey,
  isReplayed,
  type PaymentsClient,
  paymentOf,
  untilAnswered,
} from "../../../support/payments/payments-client.js";
import { processorKeyOfCall } from "../../../support/service/processor.js";
import { type ServiceProcess, waitUntil } from "../../../support/service/service-process.js";
import { beginWaitingPayment } from "../../../support/service/waiting-payment.js";

/** The processor keeps an owner waiting for longer than it lives. */
const PROCESSOR_DELAY_MS = 3_000;

/** What the machine may add to a lease and an interval: it runs the other tests as well. */
const SLACK_MS = 10_000;

let cluster: FaultCluster;
let survivor: ServiceProcess;
let atSurvivor: PaymentsClient;
let owner: ServiceProcess;

beforeAll(async () => {
  cluster = await startFaultCluster({ services: 0 });
  survivor = await cluster.addService();
  await installBreakpoints(cluster.pool);
  atSurvivor = cluster.connect(survivor);
});

afterAll(() => cluster?.stop());

beforeEach(async () => {
  owner = await cluster.addService();
  return () => owner.stop();
});

describe("an owner that is killed, with no client that asks again", () => {
  const points: readonly Point[] = [
    "claim, at its commit",
    "begin, at its commit",
    "finish, before its first write",
    "finish, before the ledger",
    "finish, before the answer",
    "finish, at its commit",
  ];

  it.each(points)("in %s: the payment is made once", async (point) => {
    const key = `killed ${point}`.replaceAll(/[ ,]+/g, "-");
    const hold = await holdAt(cluster.database.url, point);
    const call = callOwner(key);
    await hold.reached();
    await kill(hold);
    expect((await call).response).toBeUndefined();
    await expectRecovered(key, point);
  });

  it.each([
    { when: "while the processor is asked", action: FaultAction.DELAY_BEFORE },
    { when: "after the processor has acted", action: FaultAction.DELAY_AFTER },
  ] as const)("$when: the payment is made once", async ({ when, action }) => {
    const key = `killed ${when}`.replaceAll(" ", "-");
    const { result } = await beginWaitingPayment({
      processor: cluster.processor,
      key,
      action,
      delayMs: PROCESSOR_DELAY_MS,
      send: () => callOwner(key),
    });
    await kill();
    expect((await result).response).toBeUndefined();
    await expectRecovered(key, when);
  });

  it("after a charge whose reply was lost, before that is noted: the payment is made once", async () => {
    const key = "killed-unknown";
    const processorKey = processorKeyOfCall("CreatePayment", key);
    await cluster.processor.arm({ action: FaultAction.DROP_AFTER, processorKey });
    const hold = await holdAt(cluster.database.url, "noting that the outcome is unknown");
    const call = callOwner(key);
    await hold.reached();
    await kill(hold);
    expect((await call).response).toBeUndefined();
    await expectRecovered(key, "before the outcome is noted as unknown");
  });

  it("after its commit, before its reply: the answer is there", async () => {
    const key = "killed-before-reply";
    const hold = await holdAt(cluster.database.url, "finish, at its commit");
    const call = callOwner(key);
    await hold.reached();
    owner.kill("SIGSTOP"); // it does not learn of the commit
    await hold.release();
    await waitUntil(async () => (await cluster.recordOf(key))?.state === "completed", SLACK_MS);
    await kill();
    expect((await call).response).toBeUndefined();
    await expectRecovered(key, "after the commit, before the reply");
  });

  // A payment begins in the transaction of its claim.
  it.each([
    "claim, at its commit",
    "begin, before its first write",
    "begin, between two writes",
  ] as const)("in %s, which is rolled back: nothing happened, and a retry pays", async (point) => {
    const key = `killed before ${point}`.replaceAll(/[ ,]+/g, "-");
    const hold = await holdAt(cluster.database.url, point);
    const call = callOwner(key);
    await hold.reached();
    owner.kill("SIGKILL");
    await hold.rollBack();
    expect((await call).response).toBeUndefined();
    expect(await cluster.recordOf(key)).toBeUndefined();
    expect((await atSurvivor.getPayment(byKey(key))).response).toBeUndefined();

    const { answer } = await retryAtSurvivor(key);
    expect(isReplayed(answer)).toBe(false);
    await cluster.expectOneCharge(key);
  });

  it("violates no invariant wherever it was", () => cluster.expectNothingViolated());
});

function callOwner(key: string) {
  return cluster.connect(owner).createPayment(paymentOf("tok_visa"), key);
}

/** What its database connections are doing goes on to its end. */
async function kill(hold?: Hold): Promise<void> {
  owner.kill("SIGKILL");
  await owner.exited;
  await hold?.release();
  const { rows } = await cluster.pool.query<{ now: Date }>("SELECT clock_timestamp() AS now");
  const hasEnded = async () => {
    const { rowCount } = await cluster.pool.query(
      `SELECT FROM pg_stat_activity WHERE datname = current_database()
         AND application_name = 'payonce' AND state = 'active' AND query_start < $1`,
      [rows[0]?.now],
    );
    return rowCount === 0;
  };
  await waitUntil(hasEnded, SLACK_MS);
}

/** Nobody asks before the survivor has ended the payment; then all get the same answer. */
async function expectRecovered(key: string, where: string): Promise<void> {
  const recoveredAfterMs = await cluster.recovered();
  const record = await cluster.recordOf(key);
  tell(
    `killed owner pid ${owner.pid}: ${where}; recovered after ${seconds(recoveredAfterMs)}, attempts ${record?.attempts}, effects 1`,
  );
  expect(record?.state).toBe("completed");
  expect(recoveredAfterMs).toBeLessThan(LEASE_MS + RECOVERY_INTERVAL_MS + SLACK_MS);
  await cluster.expectOneCharge(key);
  const replays = await Promise.all([retryAtSurvivor(key), retryAtSurvivor(key)]);
  const [one, other] = replays.map(({ answer }) => answer);
  expect([one, other].map((answer) => answer && isReplayed(answer))).toEqual([true, true]);
  expect(one && answerOf(one)).toEqual(other && answerOf(other));
}

/** Asks until it is answered: the lock of a dead owner outlives it by a third of the lease. */
function retryAtSurvivor(key: string) {
  return untilAnswered(() => atSurvivor.createPayment(paymentOf("tok_visa"), key));
}
