import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { okOutcome } from "../../../src/idempotency/port/outcome.js";
import type { ClaimRequest, ClaimResult } from "../../../src/idempotency/port/store.js";
import { createMemoryStore } from "../../../src/stores/memory/index.js";
import {
  copyName,
  type GateUnderTest,
  gateOpener,
  type RedisNodesUnderTest,
  startRedisNodesUnderTest,
} from "../../support/idempotency/redis-gate.js";
import { again, claimOf, newFingerprint, newRequest } from "../../support/stores/contract.js";

const RETENTION_MS = 60_000;
const MEMORY = { memoryBytes: 1024 * 1024 };

/** What is on its way arrives sooner, on a busy machine too. */
const POLLING = { timeout: 10_000 };

let redis: RedisNodesUnderTest;
let opener: ReturnType<typeof gateOpener>;

beforeAll(async () => {
  redis = await startRedisNodesUnderTest();
  opener = gateOpener(redis);
});
afterAll(async () => {
  opener?.close();
  await redis?.stop();
});

const answer = okOutcome(Buffer.from("the answer"));

/** Completes a call, and waits until every node has its copy. */
async function complete(under: GateUnderTest, request: ClaimRequest): Promise<void> {
  const claim = claimOf(await under.gate.claim(request));
  expect(await under.gate.complete(claim, answer, RETENTION_MS)).toBe(true);
  await everyNodeHasCopy(under, request);
}

async function everyNodeHasCopy(under: GateUnderTest, request: ClaimRequest): Promise<void> {
  const name = copyName(under, request);
  await expect.poll(() => redis.onNodes((node) => node.exists(name)), POLLING).toEqual([1, 1, 1]);
}

/** Sends a duplicate and tells what that took of the store of record and of the nodes. */
async function duplicate(under: GateUnderTest, request: ClaimRequest) {
  const claims = under.record.calls("claim");
  const decisions = under.events.length;
  const scripts = await scriptsRun();
  const result = await under.gate.claim(again(request));
  return {
    text: textOf(result),
    reachedStore: under.record.calls("claim") > claims,
    reachedNodes: (await scriptsRun()) > scripts,
    decisions: under.events.slice(decisions),
  };
}

/** How many batches all nodes have run. */
async function scriptsRun(): Promise<number> {
  const counts = await redis.onNodes(async (node) =>
    Number(/cmdstat_evalsha:calls=(\d+)/.exec(await node.info("commandstats"))?.[1] ?? 0),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

function textOf(result: ClaimResult): string {
  return result.kind === "replay" ? Buffer.from(result.outcome.body).toString() : result.kind;
}

const recalled = {
  text: "the answer",
  reachedStore: false,
  reachedNodes: false,
  decisions: ["recalled"],
};

describe("a duplicate in the process that gave the answer", () => {
  it("reaches no node and no store", async () => {
    const under = await opener.open(MEMORY);
    const request = newRequest();
    await complete(under, request);
    for (let call = 0; call < 3; call += 1) {
      expect(await duplicate(under, request)).toEqual(recalled);
    }
  });

  it("does not either where the handler has stored the answer in its own transaction", async () => {
    const under = await opener.open(MEMORY);
    const request = newRequest();
    const claim = claimOf(await under.gate.claim(request));
    await under.record.store.complete(claim, answer, RETENTION_MS);
    await under.gate.committed(claim, answer, RETENTION_MS);
    await everyNodeHasCopy(under, request);
    expect(await duplicate(under, request)).toEqual(recalled);
  });

  it("has its answer when no node is there", async () => {
    const under = await opener.open(MEMORY);
    const request = newRequest();
    await complete(under, request);
    for (const node of redis.nodes) {
      node.pause();
    }
    try {
      expect(textOf(await under.gate.claim(again(request)))).toBe("the answer");
      expect(under.record.calls("claim")).toBe(1);
    } finally {
      for (const node of redis.nodes) {
        node.resume();
      }
    }
  });

  it("is answered by a copy where the process has no room", async () => {
    const under = await opener.open({ memoryBytes: 0 });
    const request = newRequest();
    await complete(under, request);
    expect(await duplicate(under, request)).toEqual({
      text: "the answer",
      reachedStore: false,
      reachedNodes: true,
      decisions: ["hit"],
    });
  });
});

it("another process is answered by a copy, each time", async () => {
  const first = await opener.open(MEMORY);
  const second = await first.beside();
  const request = newRequest();
  await complete(first, request);
  for (let call = 0; call < 2; call += 1) {
    expect(await duplicate(second, request)).toMatchObject({
      text: "the answer",
      reachedStore: false,
      decisions: ["hit"],
    });
  }
});

it("another request under the key is refused by the store", async () => {
  const under = await opener.open(MEMORY);
  const request = newRequest();
  await complete(under, request);
  const other = await duplicate(under, { ...request, fingerprint: newFingerprint() });
  expect(other).toMatchObject({ text: "mismatch", reachedStore: true });
  expect(await duplicate(under, request)).toEqual(recalled);
});

it("an answer is not kept past its retention", async () => {
  const under = await opener.open(MEMORY);
  const request = newRequest();
  const claim = claimOf(await under.gate.claim(request));
  const retentionMs = 100;
  await under.gate.complete(claim, answer, retentionMs);
  await expect.poll(async () => (await duplicate(under, request)).text, POLLING).toBe("expired");
});

it("an answer that was not stored is not kept", async () => {
  const store = createMemoryStore();
  const under = await opener.open({
    ...MEMORY,
    store: { ...store, complete: async () => false },
  });
  const request = newRequest();
  const claim = claimOf(await under.gate.claim(request));
  expect(await under.gate.complete(claim, answer, RETENTION_MS)).toBe(false);
  expect((await duplicate(under, request)).text).toBe("in_progress");
});

it("an answer from before a restore is not believed by a process that lives on", async () => {
  const before = createMemoryStore();
  // The database as the restore leaves it: it has never heard of the key.
  const restored = createMemoryStore();
  let generation = 1;
  const under = await opener.open({
    ...MEMORY,
    namespaceNow: () => `restored:${generation}`,
    store: {
      ...before,
      claim: (request) => (generation === 1 ? before : restored).claim(request),
    },
  });
  const request = newRequest();
  const claim = claimOf(await under.gate.claim(request));
  await under.gate.complete(claim, answer, RETENTION_MS);
  expect((await duplicate(under, request)).text).toBe("the answer");
  generation = 2;
  expect((await duplicate(under, request)).text).toBe("claimed");
});

it.each([
  ["the process", MEMORY],
  ["Redis", { memoryBytes: 0 }],
])("an answer to a call that began before a restore is kept by %s for nobody", async (_, more) => {
  const before = createMemoryStore();
  const restored = createMemoryStore();
  let generation = 1;
  const under = await opener.open({
    ...more,
    namespaceNow: () => `restored-meanwhile:${generation}`,
    // The claim's owner has a connection to the old database still.
    store: {
      ...before,
      claim: (request) => (generation === 1 ? before : restored).claim(request),
    },
  });
  const request = newRequest();
  const claim = claimOf(await under.gate.claim(request));
  generation = 2;
  expect(await under.gate.complete(claim, answer, RETENTION_MS)).toBe(true);
  expect((await duplicate(under, request)).text).toBe("claimed");
});
