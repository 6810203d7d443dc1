import { afterAll, beforeAll, describe, it } from "vitest";
import { cases } from "../../support/conformance/cases.js";
import { clients } from "../../support/conformance/clients.js";
import type { Driver } from "../../support/conformance/driver.js";
import { type Cluster, startCluster } from "../../support/service/cluster.js";
import { openProcessor, type Processor } from "../../support/service/processor.js";
import { BUILD_LIMIT_MS, startReadyDriver } from "./payments.js";
import { expectAsInCase, runCase } from "./run-case.js";

let cluster: Cluster;
let processor: Processor;

beforeAll(async () => {
  cluster = await startCluster({ services: 1, env: { RECOVERY_INTERVAL_MS: "200" } });
  processor = openProcessor(cluster.sandbox.address);
});

afterAll(async () => {
  processor?.close();
  await cluster?.stop();
});

describe.each(clients)("the client $name", ({ driver: program }) => {
  let driver: Driver;

  beforeAll(async () => {
    driver = await startReadyDriver(program, cluster.targets()[0] ?? "");
  }, BUILD_LIMIT_MS);

  afterAll(() => driver?.stop());

  it.concurrent.for(cases.map((test) => [test.name, test] as const))(
    "%s",
    async ([, test], { expect }) => {
      const [service = ""] = cluster.targets();
      expectAsInCase(test, await runCase(test, { driver, service, processor }), expect);
    },
  );
});
