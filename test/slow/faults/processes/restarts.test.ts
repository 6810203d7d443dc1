import { setTimeout as sleep } from "node:timers/promises";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FaultAction } from "../../../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import {
  type FaultCluster,
  KEEPING_ANSWERS,
  startFaultCluster,
  tell,
} from "../../../support/faults/fault-cluster.js";
import { answerOf, isReplayed, paymentOf } from "../../../support/payments/payments-client.js";
import { ALL_CALLS } from "../../../support/service/processor.js";
import type { ServiceProcess } from "../../../support/service/service-process.js";
import { loadDuring, loadText } from "./load.js";

/** A service takes calls for this long before it is stopped. */
const UNDER_LOAD_MS = 500;

/** So that calls are under way whenever a service is stopped. */
const PROCESSOR_DELAY = durationFromMs(150);

const EARLIER_KEYS = ["earlier-1", "earlier-2", "earlier-3"];

let cluster: FaultCluster;
let running: readonly ServiceProcess[];

beforeAll(async () => {
  // Longer than a busy machine pauses: a claim that is taken over was left behind.
  cluster = await startFaultCluster({
    services: 3,
    env: { ...KEEPING_ANSWERS, IDEMPOTENCY_LEASE_MS: "5s" },
  });
  running = [...cluster.services];
  await cluster.processor.arm({
    action: FaultAction.DELAY_AFTER,
    delay: PROCESSOR_DELAY,
    count: ALL_CALLS,
  });
});

afterAll(() => cluster?.stop());

describe("SIGTERM to services under load", () => {
  it("a rolling restart of all three leaves nothing behind, and the same answers", async () => {
    const before = await askAll(running.slice(0, 1));
    const exitCodes: (number | null)[] = [];
    const load = await loadDuring(cluster, async () => {
      const restarted = [];
      for (const service of running) {
        await sleep(UNDER_LOAD_MS);
        service.kill("SIGTERM");
        exitCodes.push(await service.exited);
        restarted.push(await cluster.addService({ GRPC_LISTEN: service.grpcAddress }));
      }
      running = restarted;
    });
    const takeovers = await cluster.countTakeovers();
    tell(
      `restarted 3 services one after the other: exit codes ${exitCodes.join(" ")}; ${loadText(load)}; left behind ${takeovers.recovery + takeovers.duplicates}`,
    );
    expect(exitCodes).toEqual([0, 0, 0]);
    expect(load.problems).toEqual([]);
    expect(load.effects).toBe(load.keys);
    expect(load.processorCalls).toBe(load.keys);
    expect(takeovers).toEqual({ recovery: 0, duplicates: 0 });

    const after = await askAll(running);
    expect(after.map(({ isReplayed }) => isReplayed)).toEqual(after.map(() => true));
    for (const { key, answer } of after) {
      expect(answer).toEqual(before.find((first) => first.key === key)?.answer);
    }
  });

  it("violates no invariant", () => cluster.expectNothingViolated());
});

/** Sends each of the earlier keys to each of the services. */
async function askAll(services: readonly ServiceProcess[]) {
  const clients = services.map((service) => cluster.connect(service));
  return Promise.all(
    clients.flatMap((client) =>
      EARLIER_KEYS.map(async (key) => {
        const result = await client.createPayment(paymentOf("tok_visa"), key);
        return { key, answer: answerOf(result), isReplayed: isReplayed(result) };
      }),
    ),
  );
}
