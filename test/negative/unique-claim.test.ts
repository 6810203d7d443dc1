import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { storm } from "../../src/server/storm/storm.js";
import { startCluster } from "../support/service/cluster.js";

const WITHOUT_UNIQUE_CLAIM = fileURLToPath(
  new URL("../support/entries/without-unique-claim.ts", import.meta.url),
);

it("a storm fails once the database's unique claim is switched off", async () => {
  const cluster = await startCluster({
    services: 3,
    redisNodes: 0,
    entry: WITHOUT_UNIQUE_CLAIM,
  });
  try {
    const report = await storm({
      targets: cluster.targets(),
      processor: cluster.sandbox.address,
      calls: 100,
      keys: 10,
      paymentMethod: "tok_visa",
      timeoutMs: 30_000,
    });
    expect(report.problems).toContainEqual(expect.stringMatching(/executed \d+ times$/));
    expect(report.processorCalls).toBeGreaterThan(10);
    // The derived processor key still keeps the money right: the second line of defence.
    expect(report.effects).toBe(10);
  } finally {
    await cluster.stop();
  }
});
