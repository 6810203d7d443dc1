import { describe } from "vitest";
import { useServiceEnv } from "../../../support/service/cluster.js";

// Redis nodes that fail, beside services that lock with the redlock package.

useServiceEnv({ REDIS_LOCKS: "redlock" });

describe("with locks of the redlock package", async () => {
  await import("./redis-nodes.test.js");
});
