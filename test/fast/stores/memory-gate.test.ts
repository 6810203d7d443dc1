import { expect, it } from "vitest";
import { okOutcome } from "../../../src/idempotency/port/outcome.js";
import { createMemoryStore, memoryGate } from "../../../src/stores/memory/index.js";
import { again, claimOf, newRequest } from "../../support/stores/contract.js";

const RETENTION_MS = 60_000;

it("keeps no answer that was not stored, and none past its retention", async () => {
  let nowMs = 0;
  let isStored = false;
  const claimed: string[] = [];
  const store = createMemoryStore();
  const gate = memoryGate({
    store: {
      ...store,
      claim: (request) => {
        claimed.push(request.scope.key);
        return store.claim(request);
      },
      complete: async () => isStored,
    },
    copyTtlMs: 2 * RETENTION_MS,
    clock: { nowMs: () => nowMs, setTimer: () => () => {} },
  });
  const request = newRequest();
  const claim = claimOf(await gate.claim(request));
  await gate.complete(claim, okOutcome(Buffer.from("captured")), RETENTION_MS);
  expect((await gate.claim(again(request))).kind).toBe("in_progress");

  isStored = true;
  await gate.complete(claim, okOutcome(Buffer.from("captured")), RETENTION_MS);
  nowMs = RETENTION_MS - 1;
  expect((await gate.claim(again(request))).kind).toBe("replay");
  const before = claimed.length;
  nowMs = RETENTION_MS;
  await gate.claim(again(request));
  expect(claimed.length).toBe(before + 1);
});

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

it("keeps no answer to a call that began before its database was restored", async () => {
  let generation = "before";
  const before = createMemoryStore();
  const restored = createMemoryStore();
  const gate = memoryGate({
    // The claim's owner has a connection to the old database still.
    store: {
      ...before,
      claim: (request) => (generation === "before" ? before : restored).claim(request),
    },
    copyTtlMs: RETENTION_MS,
    namespace: () => generation,
  });
  const request = newRequest();
  const claim = claimOf(await gate.claim(request));
  generation = "restored";
  expect(await gate.complete(claim, okOutcome(Buffer.from("captured")), RETENTION_MS)).toBe(true);
  expect((await gate.claim(again(request))).kind).toBe("claimed");
});
