import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, expect, it } from "vitest";
import { FaultAction } from "../../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import { callEach } from "../../support/calls/call-each.js";
import { clients } from "../../support/conformance/clients.js";
import { expectAudit } from "../../support/operators/audit.js";
import { type Cluster, startCluster } from "../../support/service/cluster.js";
import { ALL_CALLS, openProcessor, type Processor } from "../../support/service/processor.js";
import { waitUntil } from "../../support/service/service-process.js";
import { BUILD_LIMIT_MS, createPayment, startReadyDriver } from "./payments.js";

const PAYMENTS = 200;

/** The server is killed once so many effects are there. */
const EFFECTS_BEFORE_KILL = 80;

/** So that calls are under way when the server is killed. */
const PROCESSOR_DELAY = durationFromMs(50);

const STEP_LIMIT_MS = 60_000;

/** A retry may come before a lease is over, again and again. */
const MAX_ATTEMPTS = 50;

let cluster: Cluster;
let processor: Processor;

beforeAll(async () => {
  cluster = await startCluster({
    services: 1,
    env: { IDEMPOTENCY_LEASE_MS: "1000", RECOVERY_INTERVAL_MS: "200" },
  });
  processor = openProcessor(cluster.sandbox.address);
  await processor.arm({
    action: FaultAction.DELAY_AFTER,
    delay: PROCESSOR_DELAY,
    count: ALL_CALLS,
  });
});

afterAll(async () => {
  processor?.close();
  await cluster?.stop();
});

it.each(clients)(
  `a server that is killed in the middle of ${PAYMENTS} payments of the client $name leaves as many effects`,
  async ({ driver: program }) => {
    const server = cluster.services.at(-1);
    const target = server?.grpcAddress ?? "";
    const driver = await startReadyDriver(program, target);
    const effectsBefore = await processor.countEffects();

    const options = { maxAttempts: MAX_ATTEMPTS };
    const paying = callEach(Array.from({ length: PAYMENTS }), () =>
      driver.call(createPayment(target, { options })),
    );
    await waitUntil(
      async () => (await processor.countEffects()) >= effectsBefore + EFFECTS_BEFORE_KILL,
      STEP_LIMIT_MS,
    );
    server?.kill("SIGKILL");
    await server?.exited;
    await cluster.addService({ GRPC_LISTEN: target });
    const answers = await paying;
    await driver.stop();

    const retried = answers.filter(({ attempts }) => attempts > 1).length;
    console.log(
      `${program}: ${PAYMENTS} payments, ${retried} of them in several attempts, effects ${(await processor.countEffects()) - effectsBefore}`,
    );
    expect(answers.filter(({ code }) => code !== "OK")).toEqual([]);
    expect(retried).toBeGreaterThan(0);
    expect(new Set(answers.map(({ key }) => key)).size).toBe(PAYMENTS);
    expect(await processor.countEffects()).toBe(effectsBefore + PAYMENTS);
  },
  BUILD_LIMIT_MS,
);

it("violates no invariant", () => expectAudit(cluster));
