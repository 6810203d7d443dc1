import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, it } from "vitest";
import { type Case, cases } from "../../support/conformance/cases.js";
import { clients } from "../../support/conformance/clients.js";
import type { Driver } from "../../support/conformance/driver.js";
import { type Cluster, startCluster } from "../../support/service/cluster.js";
import { openProcessor, type Processor } from "../../support/service/processor.js";
import { BUILD_LIMIT_MS, startReadyDriver } from "./payments.js";
import { expectAsInCase, runCase } from "./run-case.js";

const CONFIG_FILE = new URL("../../../clients/service-config.json", import.meta.url);

/** The channel retries; the interceptor only makes the key. */
const NATIVE = {
  serviceConfig: readFileSync(CONFIG_FILE, "utf8"),
  options: { maxAttempts: 1 },
};

/** Connect knows no service config. */
const clientsOfGrpc = clients.filter(({ name }) => name !== "connect");

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

describe.each(clientsOfGrpc)("native retries of the client $name", ({ name, driver: program }) => {
  let driver: Driver;

  beforeAll(async () => {
    driver = await startReadyDriver(program, cluster.targets()[0] ?? "", NATIVE);
  }, BUILD_LIMIT_MS);

  afterAll(() => driver?.stop());

  it.concurrent.for(cases.flatMap((test) => nativeCase(test, name)))(
    "%s",
    async ([, test], { expect }) => {
      const [service = ""] = cluster.targets();
      const observed = await runCase(test, { driver, service, processor, more: NATIVE });
      expectAsInCase(test, observed, expect);
    },
  );
});

/** What to expect of a client's channel in a case, with the name to show; nothing if chance decides. */
function nativeCase(test: Case, client: string): readonly (readonly [string, Case])[] {
  const { native } = test;
  const passes = native === undefined || native.passes.includes(client);
  if (!passes && native.instead === undefined) {
    return [];
  }
  const expected = passes ? test : { ...test, ...native.instead };
  const shown = passes ? test.name : `not: ${test.name} (${native.why})`;
  // The interceptor sees one attempt, however many the channel makes.
  return [[shown, { ...expected, answer: { ...expected.answer, attempts: 1 } }]];
}
