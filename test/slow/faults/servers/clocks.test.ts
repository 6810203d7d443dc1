import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FaultAction } from "../../../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import {
  clockShimAvailable,
  createShiftedClock,
  type ShiftedClock,
} from "../../../support/clock-shim/clock-shim.js";
import {
  type FaultCluster,
  startFaultCluster,
  tell,
} from "../../../support/faults/fault-cluster.js";
import { countDecisions } from "../../../support/faults/gate-metrics.js";
import {
  type ShiftedRedisNode,
  startShiftedRedisNode,
} from "../../../support/faults/shifted-redis.js";
import {
  answerOf,
  isReplayed,
  paymentOf,
  untilAnswered,
} from "../../../support/payments/payments-client.js";
import { processorKeyOfCall } from "../../../support/service/processor.js";
import { waitUntil } from "../../../support/service/service-process.js";
import { expectOnceDuring } from "./under-load.js";

/** How far clocks jump: much longer than any lock or lease. Seconds. */
const JUMP_SECONDS = 60;

const JUMP_INTERVAL_MS = 150;
const UNDER_LOAD_MS = 2_000;
const ARRIVAL_LIMIT_MS = 20_000;

/** The processor keeps an owner waiting while clocks jump and a duplicate asks. */
const PROCESSOR_DELAY_MS = 2_000;

describe.skipIf(!clockShimAvailable)("clocks of Redis nodes that jump", () => {
  let cluster: FaultCluster;
  let nodes: readonly ShiftedRedisNode[];

  beforeAll(async () => {
    // Longer than a busy machine pauses: nobody loses a claim here.
    cluster = await startFaultCluster({ services: 0, env: { IDEMPOTENCY_LEASE_MS: "6s" } });
    nodes = await Promise.all([1, 2, 3].map(() => startShiftedRedisNode()));
    const env = { REDIS_URLS: nodes.map(({ url }) => url).join(",") };
    await Promise.all([cluster.addService(env), cluster.addService(env)]);
  });

  afterAll(async () => {
    await cluster?.stop();
    await Promise.all((nodes ?? []).map((node) => node.stop()));
  });

  /** Shifts the clocks of two of the three nodes. */
  async function shiftTwo(seconds: number): Promise<void> {
    await Promise.all(nodes.slice(0, 2).map((node) => node.shift(seconds)));
  }

  it("are clocks of their own", async () => {
    await shiftTwo(JUMP_SECONDS);
    expect(await Promise.all(nodes.map(jumpsAhead))).toEqual([1, 1, 0]);
    await shiftTwo(0);
    expect(await Promise.all(nodes.map(jumpsAhead))).toEqual([0, 0, 0]);
  });

  it(`+${JUMP_SECONDS} s on two nodes: a second lock is granted, and no second claim`, async () => {
    const key = "clocks-ahead";
    const processorKey = processorKeyOfCall("CreatePayment", key);
    await cluster.processor.arm({
      action: FaultAction.DELAY_BEFORE,
      processorKey,
      delay: durationFromMs(PROCESSOR_DELAY_MS),
    });
    const [one, other] = cluster.services;
    if (one === undefined || other === undefined) {
      throw new Error("two services were started");
    }
    const first = cluster.connect(one).createPayment(paymentOf("tok_visa"), key);
    const hasArrived = async () => (await cluster.processor.callsOf(processorKey)) > 0n;
    await waitUntil(hasArrived, ARRIVAL_LIMIT_MS);
    const grantedBefore = await countDecisions(other, "granted");
    await shiftTwo(JUMP_SECONDS);
    const atOther = cluster.connect(other);
    const duplicate = await untilAnswered(() => atOther.createPayment(paymentOf("tok_visa"), key));
    const granted = (await countDecisions(other, "granted")) - grantedBefore;
    await shiftTwo(0);

    expect(granted).toBeGreaterThan(0);
    expect(duplicate.earlier.length).toBeGreaterThan(0);
    expect(isReplayed(duplicate.answer)).toBe(true);
    expect(answerOf(duplicate.answer)).toEqual(answerOf(await first));
    expect(await cluster.processor.callsOf(processorKey)).toBe(1n);
    await cluster.expectOneCharge(key);
    tell(`+${JUMP_SECONDS} s on 2 of 3 Redis nodes: second locks granted ${granted}, effects 1`);
  });

  it(`-${JUMP_SECONDS} s on two nodes: the locks of a dead owner stay, and hide no answer`, async () => {
    const key = "clocks-behind";
    const processorKey = processorKeyOfCall("CreatePayment", key);
    await cluster.processor.arm({
      action: FaultAction.DELAY_BEFORE,
      processorKey,
      delay: durationFromMs(PROCESSOR_DELAY_MS),
    });
    const owner = await cluster.addService({ REDIS_URLS: nodes.map(({ url }) => url).join(",") });
    const first = cluster.connect(owner).createPayment(paymentOf("tok_visa"), key);
    const hasArrived = async () => (await cluster.processor.callsOf(processorKey)) > 0n;
    await waitUntil(hasArrived, ARRIVAL_LIMIT_MS);
    await shiftTwo(-JUMP_SECONDS);
    owner.kill("SIGKILL");
    expect((await first).response).toBeUndefined();
    const atSurvivor = cluster.connect(cluster.services[0]);
    const startedAtMs = performance.now();
    const { earlier, answer } = await untilAnswered(() =>
      atSurvivor.createPayment(paymentOf("tok_visa"), key),
    );
    const tookMs = performance.now() - startedAtMs;
    await shiftTwo(0);
    expect(answer.response?.payment).toBeDefined();
    expect(tookMs).toBeLessThan((JUMP_SECONDS * 1_000) / 2);
    await cluster.expectOneCharge(key);
    tell(
      `-${JUMP_SECONDS} s on 2 of 3 Redis nodes, owner pid ${owner.pid} killed: ${earlier.length} retries in ${Math.round(tookMs)} ms, effects 1`,
    );
    // So that nobody asks it any more.
    cluster.services.splice(cluster.services.indexOf(owner), 1);
  });

  it("to and fro under load: one charge for each key", async () => {
    let jumps = 0;
    const shifts = [JUMP_SECONDS, -JUMP_SECONDS, 0];
    let jumping = Promise.resolve();
    const timer = setInterval(() => {
      jumps += 1;
      jumping = shiftTwo(shifts[jumps % shifts.length] ?? 0);
    }, JUMP_INTERVAL_MS);
    try {
      await expectOnceDuring(cluster, {
        what: `clocks of 2 of 3 Redis nodes jumped by ±${JUMP_SECONDS} s every ${JUMP_INTERVAL_MS} ms`,
        begin: () => {},
        lastsMs: UNDER_LOAD_MS,
        end: () => clearInterval(timer),
      });
    } finally {
      clearInterval(timer);
      await jumping;
      await shiftTwo(0);
    }
    expect(jumps).toBeGreaterThan(5);
  });

  it("violate no invariant", async () => {
    await cluster.recovered();
    await cluster.expectNothingViolated();
  });
});

describe.skipIf(!clockShimAvailable)("clocks of service processes", () => {
  let cluster: FaultCluster;
  let directory: string;
  let jumping: ShiftedClock;

  beforeAll(async () => {
    cluster = await startFaultCluster({ services: 0 });
    directory = await mkdtemp(join(tmpdir(), "payonce-test-clocks-"));
    for (const seconds of [JUMP_SECONDS, -JUMP_SECONDS]) {
      const clock = await createShiftedClock(await mkdtemp(join(directory, "service-")));
      await clock.shift(seconds);
      await cluster.addService(clock.env);
    }
    jumping = await createShiftedClock(await mkdtemp(join(directory, "service-")));
    await cluster.addService(jumping.env);
  });

  afterAll(async () => {
    await cluster?.stop();
    await rm(directory, { recursive: true, force: true });
  });

  it(`two minutes apart, and one that jumps, under load: one charge for each key`, async () => {
    await expectOnceDuring(cluster, {
      what: `3 services with clocks at +${JUMP_SECONDS} s, at -${JUMP_SECONDS} s, and one that jumped to +${JUMP_SECONDS} and back to -${JUMP_SECONDS}`,
      async begin() {
        await jumping.shift(JUMP_SECONDS);
        await sleep(UNDER_LOAD_MS / 2);
        await jumping.shift(-JUMP_SECONDS);
      },
      lastsMs: UNDER_LOAD_MS / 2,
      end: () => jumping.shift(0),
    });
  });

  it("an owner with a clock ahead that is killed: another with a clock behind ends its call", async () => {
    const [ahead, behind] = cluster.services;
    const key = "owner-ahead";
    const processorKey = processorKeyOfCall("CreatePayment", key);
    await cluster.processor.arm({
      action: FaultAction.DELAY_AFTER,
      processorKey,
      delay: durationFromMs(PROCESSOR_DELAY_MS),
    });
    const first = cluster.connect(ahead).createPayment(paymentOf("tok_visa"), key);
    const hasArrived = async () => (await cluster.processor.callsOf(processorKey)) > 0n;
    await waitUntil(hasArrived, ARRIVAL_LIMIT_MS);
    ahead?.kill("SIGKILL");
    expect((await first).response).toBeUndefined();
    const atOther = cluster.connect(behind);
    const { answer } = await untilAnswered(() => atOther.createPayment(paymentOf("tok_visa"), key));
    expect(answer.response?.payment).toBeDefined();
    await cluster.expectOneCharge(key);
    tell(
      `killed owner pid ${ahead?.pid} (+${JUMP_SECONDS} s), answered by -${JUMP_SECONDS} s; effects 1`,
    );
  });

  it("violate no invariant", async () => {
    await cluster.recovered();
    await cluster.expectNothingViolated();
  });
});

/** How far a node's wall clock is ahead of this process's, in whole jumps: a busy machine answers late. */
async function jumpsAhead({ url }: ShiftedRedisNode): Promise<number> {
  const client = new Redis(url);
  try {
    const [seconds] = await client.time();
    return Math.round((Number(seconds) - Date.now() / 1_000) / JUMP_SECONDS) + 0; // never -0
  } finally {
    client.disconnect();
  }
}
