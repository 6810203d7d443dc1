import { fileURLToPath } from "node:url";
import { Redis } from "ioredis";
import { afterEach, describe, expect, it } from "vitest";
import { type StormOptions, storm } from "../../../src/server/storm/storm.js";
import { expectAudit } from "../../support/operators/audit.js";
import { type Cluster, type ClusterOptions, startCluster } from "../../support/service/cluster.js";

const CALLS = 1_000;
const KEYS = 10;
const WITHOUT_GATE = fileURLToPath(
  new URL("../../support/entries/without-gate.ts", import.meta.url),
);

describe.each(["batched", "redlock"])(
  "a storm of 1,000 concurrent calls over 10 keys and three services, with %s locks",
  (locks) => {
    let cluster: Cluster | undefined;
    afterEach(async () => {
      await cluster?.stop();
      cluster = undefined;
    });

    async function start(options: Omit<ClusterOptions, "services"> = {}): Promise<Cluster> {
      cluster = await startCluster({ services: 3, env: { REDIS_LOCKS: locks }, ...options });
      return cluster;
    }

    it("has one effect for each key, and one answer for all its callers", async () => {
      const running = await start();
      const report = await storm(stormOn(running));
      expect(report).toMatchObject({
        problems: [],
        effects: KEYS,
        firstAnswers: KEYS,
        processorCalls: KEYS,
      });
      await expectAudit(running);
    });

    it.runIf(locks === "batched")("does so without any gate", async () => {
      const running = await start({ redisNodes: 0, entry: WITHOUT_GATE });
      await expectExactlyOnce(running);
    });

    it("does so with one Redis node stopped", async () => {
      const running = await start();
      await running.redisNodes[0]?.kill();
      await expectExactlyOnce(running);
    });

    it("does so with all three Redis nodes stopped", async () => {
      const running = await start();
      await Promise.all(running.redisNodes.map((node) => node.kill()));
      await expectExactlyOnce(running);
    });

    it("does so with FLUSHALL on every node in the middle", async () => {
      const running = await start();
      const clients = running.redisNodes.map(({ url }) => new Redis(url));
      let flushes = 0;
      const flushing = setInterval(() => {
        flushes += 1;
        for (const client of clients) {
          client.flushall();
        }
      }, 100);
      try {
        await expectExactlyOnce(running);
      } finally {
        clearInterval(flushing);
        for (const client of clients) {
          client.disconnect();
        }
      }
      expect(flushes).toBeGreaterThan(1);
    });
  },
);

async function expectExactlyOnce(cluster: Cluster): Promise<void> {
  const report = await storm(stormOn(cluster));
  expect(report).toMatchObject({ problems: [], effects: KEYS });
  await expectAudit(cluster);
}

function stormOn(cluster: Cluster): StormOptions {
  return {
    targets: cluster.targets(),
    processor: cluster.sandbox.address,
    calls: CALLS,
    keys: KEYS,
    paymentMethod: "tok_visa",
    timeoutMs: 100_000,
  };
}
