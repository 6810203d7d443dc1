import { afterAll, beforeAll, expect, it } from "vitest";
import { clients } from "../../support/conformance/clients.js";
import type { Driver } from "../../support/conformance/driver.js";
import { expectAudit } from "../../support/operators/audit.js";
import { type Cluster, startCluster } from "../../support/service/cluster.js";
import { openProcessor, type Processor } from "../../support/service/processor.js";
import { BUILD_LIMIT_MS, createPayment, startReadyDriver } from "./payments.js";

const CLIENTS = 10;
const INTENTS = 50;

let cluster: Cluster;
let processor: Processor;
let drivers: readonly Driver[];

beforeAll(async () => {
  cluster = await startCluster({ services: 2 });
  processor = openProcessor(cluster.sandbox.address);
  const [target = ""] = cluster.targets();
  drivers = await Promise.all(
    Array.from({ length: CLIENTS }, (_, index) =>
      startReadyDriver(clients[index % clients.length]?.driver ?? "", target),
    ),
  );
}, BUILD_LIMIT_MS);

afterAll(async () => {
  await Promise.all((drivers ?? []).map((driver) => driver.stop()));
  processor?.close();
  await cluster?.stop();
});

const languages = new Set(clients.map(({ language }) => language));

it(`${CLIENTS} clients (${[...languages].join(", ")}) with the same ${INTENTS} intents make ${INTENTS} payments, and hold the same answers`, async () => {
  const targets = cluster.targets();
  const answers = await Promise.all(
    drivers.flatMap((driver, client) =>
      Array.from({ length: INTENTS }, (_, intent) =>
        driver.call(
          createPayment(targets[(client + intent) % targets.length] ?? "", {
            key: `intent-${intent}`,
            request: { merchantReference: `order-${intent}`, metadata: { basket: `${intent}` } },
            options: { maxAttempts: 50 },
          }),
        ),
      ),
    ),
  );
  expect(answers.filter(({ code }) => code !== "OK")).toEqual([]);
  expect(new Set(answers.map(({ key, response }) => `${key} ${response}`)).size).toBe(INTENTS);
  expect(answers.filter(({ replayed }) => !replayed).length).toBeLessThanOrEqual(INTENTS);
  expect(await processor.countEffects()).toBe(INTENTS);
  await expectAudit(cluster);
});
