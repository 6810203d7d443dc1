import { expect, it } from "vitest";
import { okOutcome } from "../../../src/idempotency/outcome.js";
import { createMemoryStore, memoryGate } from "../../../src/stores/memory/index.js";
import { again, claimOf, newRequest } from "../../real/stores/contract.js";

const RETENTION_MS = 60_000;

it("believes no copy of an answer that a database gave before it was restored", async () => {
  let generation = "before";
  const before = createMemoryStore();
  // The database as the restore leaves it: it has never heard of the key.
  const restored = createMemoryStore();
  const gate = memoryGate({
    store: {
      ...before,
      claim: (request) => (generation === "before" ? before : restored).claim(request),
    },
    copyTtlMs: RETENTION_MS,
    namespace: () => generation,
  });
  const request = newRequest();
  const claim = claimOf(await gate.claim(request));
  await gate.complete(claim, okOutcome(Buffer.from("captured")), RETENTION_MS);
  expect((await gate.claim(again(request))).kind).toBe("replay");

  generation = "restored";
  expect((await gate.claim(again(request))).kind).toBe("claimed");
});
