import { describe } from "vitest";
import { useLocks } from "../../support/idempotency/redis-gate.js";

// All that is true of the gate is true of it over locks of the redlock package.

useLocks("redlock");

describe("with locks of the redlock package", async () => {
  await import("./gate.test.js");
});

describe("with locks of the redlock package, and faults", async () => {
  await import("./gate-faults.test.js");
});
