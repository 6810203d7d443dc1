import { access } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type Cluster, startCluster } from "../../support/service/cluster.js";
import {
  openProcessor,
  type Processor,
  processorKeyOfCall,
} from "../../support/service/processor.js";
import { type ConsumerProject, installConsumerProject } from "./installed-package.js";
import { PAYS, usesTypesOf } from "./programs.js";

/** npm installs, and the compiler runs, beside other work. */
const BUILD_LIMIT_MS = 5 * 60_000;
vi.setConfig({ testTimeout: BUILD_LIMIT_MS, hookTimeout: BUILD_LIMIT_MS });

/** What those who use its types install. */
const TYPES = ["@types/node"];

// Asks the package registry: only where everything runs.
describe.runIf(process.env.CI === "true").each(["oldest", "newest"] as const)(
  "the package, beside the %s version of each range",
  (age) => {
    let project: ConsumerProject;
    let cluster: Cluster;
    let processor: Processor;

    beforeAll(async () => {
      project = await installConsumerProject(age, TYPES);
      cluster = await startCluster({ services: 0 });
      processor = openProcessor(cluster.sandbox.address);
    });

    afterAll(async () => {
      processor?.close();
      await cluster?.stop();
      await project?.remove();
    });

    it("shares them with the project: none is there twice", async () => {
      const ownCopies = access(join(project.packageFolder, "node_modules"));
      await expect(ownCopies).rejects.toThrow("ENOENT");
    });

    it("type-checks, and makes one payment", async () => {
      await project.write("types.ts", usesTypesOf(project.entries));
      await project.write("pay.ts", PAYS);
      await project.compile(["types.ts", "pay.ts"], { types: ["node"] });

      const service = await cluster.addService({}, join(project.packageFolder, "dist/cli.js"));
      const key = `beside-the-${age}`;
      const answers = [
        await project.node("pay.js", "gRPC", `http://${service.grpcAddress}`, key),
        await project.node("pay.js", "Connect", `http://${service.httpAddress}`, key),
      ];
      const effects = await processor.effectsUnder(processorKeyOfCall("CreatePayment", key));
      const payment = { id: effects[0]?.paymentId, isCaptured: true };
      expect(answers.map((answer) => JSON.parse(answer))).toEqual([
        { ...payment, replayed: false },
        { ...payment, replayed: true },
      ]);
      expect(effects).toHaveLength(1);
    });
  },
);
