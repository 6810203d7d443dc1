import { setTimeout as sleep } from "node:timers/promises";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FaultAction } from "../../../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import { holdAt, installBreakpoints, type Point } from "../../../support/faults/breakpoints.js";
import {
  type FaultCluster,
  startFaultCluster,
  tell,
} from "../../../support/faults/fault-cluster.js";
import {
  answerOf,
  isReplayed,
  type PaymentsClient,
  paymentOf,
  untilAnswered,
} from "../../../support/payments/payments-client.js";
import { processorKeyOfCall } from "../../../support/service/processor.js";
import { type ServiceProcess, waitUntil } from "../../../support/service/service-process.js";
import { expectOnceDuring } from "./under-load.js";

/** Longer than a command's timeout and the time that the gate steps aside for. */
const FAULT_MS = 2_000;

/** Until a busy machine has brought a call to where it waits. */
const ARRIVAL_LIMIT_MS = 20_000;

/** Long enough for a flush and a duplicate while the processor keeps a call waiting. */
const PROCESSOR_DELAY_MS = 1_500;

/** A duplicate that is not refused by now has reached the store of record. */
const DUPLICATE_MS = 300;

let cluster: FaultCluster;
let owner: ServiceProcess;
let atOwner: PaymentsClient;
let atOther: PaymentsClient;
let redis: readonly Redis[];

beforeAll(async () => {
  // Longer than a busy machine pauses: nobody loses a claim here.
  cluster = await startFaultCluster({ services: 2, env: { IDEMPOTENCY_LEASE_MS: "5s" } });
  owner = await cluster.addService();
  await installBreakpoints(cluster.pool);
  atOwner = cluster.connect(owner);
  atOther = cluster.connect(cluster.services[0]);
  redis = cluster.redisNodes.map(({ url }) => new Redis(url).on("error", () => {}));
});

afterAll(async () => {
  for (const client of redis ?? []) {
    client.disconnect();
  }
  await cluster?.stop();
});

async function flushAll(): Promise<void> {
  await Promise.all(redis.map((client) => client.flushall()));
}

describe("Redis nodes that are stopped, or lose all they know, under load", () => {
  it.each([
    { some: "a minority", count: 1 },
    { some: "a majority", count: 2 },
  ])("SIGSTOP of $some, then SIGCONT: one charge for each key", async ({ some, count }) => {
    const stopped = cluster.redisNodes.slice(0, count);
    await expectOnceDuring(cluster, {
      what: `stopped ${some} of the Redis nodes (${count} of 3) for ${FAULT_MS} ms`,
      begin: () => stopped.forEach((node) => void node.pause()),
      lastsMs: FAULT_MS,
      end: () => stopped.forEach((node) => void node.resume()),
    });
  });

  it("kill -9 of a majority, which starts again empty: one charge for each key", async () => {
    const restarted = cluster.redisNodes.slice(1);
    const restart = () => Promise.all(restarted.map((node) => node.restart()));
    await expectOnceDuring(cluster, {
      what: "killed 2 of 3 Redis nodes and started them empty, twice",
      begin: () => restart().then(() => {}),
      lastsMs: 500,
      end: () => restart().then(() => {}),
    });
  });
});

describe("FLUSHALL on all nodes in the middle of a call, and a duplicate elsewhere", () => {
  it.each([
    ["after the lock, before the claim is committed", "claim, at its commit"],
    ["before the operation has begun", "begin, at its commit"],
    [
      "after the processor call, before the first write of its outcome",
      "finish, before its first write",
    ],
    ["right before the outcome is committed", "finish, at its commit"],
  ] as const satisfies readonly (readonly [string, Point])[])("%s", async (when, point) => {
    const key = keyOf(when);
    const hold = await holdAt(cluster.database.url, point);
    const first = atOwner.createPayment(paymentOf("tok_visa"), key);
    await hold.reached();
    await flushAll();
    const duplicate = untilAnswered(() => atOther.createPayment(paymentOf("tok_visa"), key));
    await sleep(DUPLICATE_MS);
    await hold.release();
    await expectOneAnswer({ when, key, first: await first, duplicate: (await duplicate).answer });
  });

  it.each([
    ["before the processor acts", FaultAction.DELAY_BEFORE],
    ["after the processor has acted, before its reply", FaultAction.DELAY_AFTER],
  ] as const)("%s", async (when, action) => {
    const key = keyOf(when);
    const processorKey = processorKeyOfCall("CreatePayment", key);
    const delay = durationFromMs(PROCESSOR_DELAY_MS);
    await cluster.processor.arm({ action, processorKey, delay });
    const first = atOwner.createPayment(paymentOf("tok_visa"), key);
    const hasArrived = async () => (await cluster.processor.callsOf(processorKey)) > 0n;
    await waitUntil(hasArrived, ARRIVAL_LIMIT_MS);
    await flushAll();
    const duplicate = await untilAnswered(() => atOther.createPayment(paymentOf("tok_visa"), key));
    expect(duplicate.earlier.length).toBeGreaterThan(0);
    await expectOneAnswer({ when, key, first: await first, duplicate: duplicate.answer });
  });

  it("right after the commit, before the owner knows of it", async () => {
    const when = "right after the commit";
    const key = keyOf(when);
    const hold = await holdAt(cluster.database.url, "finish, at its commit");
    const first = atOwner.createPayment(paymentOf("tok_visa"), key);
    await hold.reached();
    owner.kill("SIGSTOP");
    await hold.release();
    const isDone = async () => (await cluster.recordOf(key))?.state === "completed";
    await waitUntil(isDone, ARRIVAL_LIMIT_MS);
    await flushAll();
    const duplicate = await atOther.createPayment(paymentOf("tok_visa"), key);
    owner.kill("SIGCONT");
    await expectOneAnswer({ when, key, first: await first, duplicate });
  });

  it("after the answer", async () => {
    const when = "after the answer";
    const key = keyOf(when);
    const first = await atOwner.createPayment(paymentOf("tok_visa"), key);
    await flushAll();
    const duplicate = await atOther.createPayment(paymentOf("tok_visa"), key);
    await expectOneAnswer({ when, key, first, duplicate });
  });
});

it("none of it violates an invariant", async () => {
  await cluster.recovered();
  await cluster.expectNothingViolated();
});

type Answer = Awaited<ReturnType<PaymentsClient["createPayment"]>>;

async function expectOneAnswer(call: {
  readonly when: string;
  readonly key: string;
  readonly first: Answer;
  readonly duplicate: Answer;
}): Promise<void> {
  const { when, key, first, duplicate } = call;
  expect(isReplayed(first)).toBe(false);
  expect(isReplayed(duplicate)).toBe(true);
  expect(answerOf(duplicate)).toEqual(answerOf(first));
  const calls = await cluster.processor.callsOf(processorKeyOfCall("CreatePayment", key));
  expect(calls).toBe(1n);
  await cluster.expectOneCharge(key);
  tell(`FLUSHALL on 3 nodes ${when}: calls 2, processor calls ${calls}, effects 1`);
}

function keyOf(when: string): string {
  return `flushed ${when}`.replaceAll(/[ ,]+/g, "-");
}
