import { setTimeout as sleep } from "node:timers/promises";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, expect, it } from "vitest";
import { FaultAction } from "../../../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import {
  type FaultCluster,
  LEASE_MS,
  RECOVERY_INTERVAL_MS,
  seconds,
  startFaultCluster,
  tell,
} from "../../../support/faults/fault-cluster.js";
import { paymentOf } from "../../../support/payments/payments-client.js";
import { ALL_CALLS } from "../../../support/service/processor.js";
import { waitUntil } from "../../../support/service/service-process.js";

const KILLS = 100;

/** Owners that live and die side by side. */
const OWNERS_AT_ONCE = 4;

/** Before a call to the processor acts, and again before its reply: a kill meets either. */
const PROCESSOR_DELAY_MS = 200;

/** One kill, its recovery, and a start that takes its time on a busy machine. */
const LIMIT_PER_KILL_MS = 10_000;
const STEP_LIMIT_MS = 40_000;

let cluster: FaultCluster;

beforeAll(async () => {
  cluster = await startFaultCluster({ services: 1 });
  const delay = durationFromMs(PROCESSOR_DELAY_MS);
  await cluster.processor.arm(
    { action: FaultAction.DELAY_BEFORE, delay, count: ALL_CALLS },
    { action: FaultAction.DELAY_AFTER, delay, count: ALL_CALLS },
  );
});

afterAll(() => cluster?.stop());

it(
  `${KILLS} owners killed, with no client that asks again: every payment is made once`,
  async () => {
    const recoveryTimes: number[] = [];
    let payments = 0;
    const killOwners = async () => {
      while (recoveryTimes.length < KILLS) {
        payments += 1;
        const recoveredAfterMs = await killOwnerOf(`recovered-${payments}`);
        if (recoveredAfterMs !== undefined) {
          recoveryTimes.push(recoveredAfterMs);
        }
      }
    };
    await Promise.all(Array.from({ length: OWNERS_AT_ONCE }, killOwners));
    const effects = await cluster.processor.countEffects();
    const [least, median, p95, most] = [0, 0.5, 0.95, 1].map((part) =>
      seconds(quantile(recoveryTimes, part)),
    );
    tell(
      `killed ${recoveryTimes.length} owners with a lease of ${seconds(LEASE_MS)} and a recovery interval of ${seconds(RECOVERY_INTERVAL_MS)}: recovered after ${least} at least, ${median} in the median, ${p95} for 95 %, ${most} at most; payments ${payments}, effects ${effects}`,
    );
    expect(effects).toBe(payments);
    await cluster.expectNothingViolated();
  },
  (KILLS / OWNERS_AT_ONCE) * LIMIT_PER_KILL_MS,
);

/**
 * Kills a new service at any moment between its claim and its answer.
 *
 * @returns after how long the survivor had ended the payment, in milliseconds;
 *   undefined if the owner had ended it itself
 */
async function killOwnerOf(key: string): Promise<number | undefined> {
  const owner = await cluster.addService();
  const isIn = (state: string) => async () => (await cluster.recordOf(key))?.state === state;
  const call = cluster.connect(owner).createPayment(paymentOf("tok_visa"), key);
  await waitUntil(async () => (await cluster.recordOf(key)) !== undefined, STEP_LIMIT_MS);
  await sleep(Math.random() * 2 * PROCESSOR_DELAY_MS);
  owner.kill("SIGKILL");
  await owner.exited;
  const killedAtMs = performance.now();
  const wasEnded = await isIn("completed")();
  await call;
  await waitUntil(isIn("completed"), STEP_LIMIT_MS);
  return wasEnded ? undefined : performance.now() - killedAtMs;
}

function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.floor(part * (sorted.length - 1))] ?? Number.NaN;
}
