import { randomUUID } from "node:crypto";
import { once } from "node:events";
import type { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Clock, systemClock } from "../../../src/idempotency/clock.js";
import { okOutcome } from "../../../src/idempotency/outcome.js";
import type {
  ClaimRequest,
  ClaimResult,
  IdempotencyStore,
} from "../../../src/idempotency/store.js";
import { createMemoryStore } from "../../../src/stores/memory/index.js";
import { connectRedisNodes, redisGate } from "../../../src/stores/redis/index.js";
import {
  copyName,
  lockName,
  type RedisNodesUnderTest,
  startRedisNodesUnderTest,
  timed,
} from "../../support/idempotency/redis-gate.js";
import { probe } from "../../support/idempotency/store-probe.js";
import { again, claimOf, newFingerprint, newRequest } from "./contract.js";

const RETENTION_MS = 60_000;
const NODES = [0, 1, 2];

/** What is on its way arrives sooner, on a busy machine too. */
const POLLING = { timeout: 10_000 };

/**
 * What a duplicate may lose to a node that hangs: the 20 ms for which it is
 * waited for, and what a busy machine adds. A claim waits 250 ms for a node.
 */
const HUNG_NODE_COSTS_MS = 100;

let redis: RedisNodesUnderTest;
const connections: Redis[] = [];

beforeAll(async () => {
  redis = await startRedisNodesUnderTest();
});
afterAll(async () => {
  for (const connection of connections.splice(0)) {
    connection.disconnect();
  }
  await redis?.stop();
});

/** On which no timeout passes: a busy machine makes no node look slow. */
const patientClock: Clock = { ...systemClock, setTimer: () => () => {} };

/** A gate as one process has it, over connections of its own. */
async function openGate({
  store = createMemoryStore(),
  generation = () => 1,
  deployment = `test:${randomUUID()}`,
  clock = patientClock,
}: {
  readonly store?: IdempotencyStore<never>;
  readonly generation?: () => number;
  readonly deployment?: string;
  readonly clock?: Clock;
} = {}) {
  const nodes = connectRedisNodes(
    redis.nodes.map(({ url }) => url),
    () => {},
  );
  connections.push(...nodes);
  await Promise.all(nodes.map((node) => once(node, "ready")));
  const record = probe(store);
  const gate = redisGate({
    store: record.store,
    nodes,
    namespace: () => `${deployment}:${generation()}`,
    copyTtlMs: RETENTION_MS,
    clock,
  });
  return {
    gate,
    record,
    store,
    deployment,
    /** What a request's copy and its lock are called now. */
    namesOf(request: ClaimRequest) {
      const under = { namespace: `${deployment}:${generation()}` };
      return { copy: copyName(under, request), lock: lockName(under, request) };
    },
  };
}

type OpenGate = Awaited<ReturnType<typeof openGate>>;

const answer = okOutcome(Buffer.from("the answer"));

/** Completes calls, and waits until every node has their copies and no lock of them. */
async function complete(
  { gate, namesOf }: OpenGate,
  ...requests: readonly ClaimRequest[]
): Promise<void> {
  for (const request of requests) {
    const claim = claimOf(await gate.claim(request));
    expect(await gate.complete(claim, answer, RETENTION_MS)).toBe(true);
  }
  await everyNodeHas(requests.map((request) => namesOf(request)));
}

async function everyNodeHas(names: readonly { readonly copy: string; readonly lock: string }[]) {
  const left = () =>
    redis.onNodes(async (node) => [
      await node.exists(names.map(({ copy }) => copy)),
      await node.exists(names.map(({ lock }) => lock)),
    ]);
  await expect.poll(left, POLLING).toEqual(NODES.map(() => [names.length, 0]));
}

/** How often a node has done each of what a gate asks for. */
async function asked(node: Redis) {
  const statistics = await node.info("commandstats");
  const calls = (command: string) =>
    Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(statistics)?.[1] ?? 0);
  return { mget: calls("mget"), evalsha: calls("evalsha") };
}

/** Sends a duplicate and tells what that took of the store of record and of each node. */
async function duplicate(under: OpenGate, request: ClaimRequest) {
  const [before, claims] = [await redis.onNodes(asked), under.record.calls("claim")];
  const result = await under.gate.claim(again(request));
  const after = await redis.onNodes(asked);
  const since = (command: keyof (typeof after)[number]) =>
    after.map((node, index) => node[command] - (before[index]?.[command] ?? 0));
  return {
    text: textOf(result),
    reachedStore: under.record.calls("claim") > claims,
    mget: since("mget"),
    evalsha: since("evalsha"),
  };
}

function textOf(result: ClaimResult): string {
  return result.kind === "replay" ? Buffer.from(result.outcome.body).toString() : result.kind;
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);

describe("a duplicate in the process that has seen the answer", () => {
  it("reads one node, once, and reaches no other and no store; the nodes take turns", async () => {
    const under = await openGate();
    const request = newRequest();
    await complete(under, request);
    const reads = [0, 0, 0];
    for (let call = 0; call < 6; call += 1) {
      const { text, reachedStore, mget, evalsha } = await duplicate(under, request);
      expect(text).toBe("the answer");
      expect(reachedStore).toBe(false);
      expect(mget.toSorted()).toEqual([0, 0, 1]);
      expect(evalsha).toEqual([0, 0, 0]);
      mget.forEach((calls, node) => {
        reads[node] = (reads[node] ?? 0) + calls;
      });
    }
    expect(reads).toEqual([2, 2, 2]);
  });

  it("finds an answer that the handler has stored in its own transaction just so", async () => {
    const under = await openGate();
    const request = newRequest();
    const claim = claimOf(await under.gate.claim(request));
    await under.record.store.complete(claim, answer, RETENTION_MS);
    await under.gate.committed(claim, answer, RETENTION_MS);
    await everyNodeHas([under.namesOf(request)]);
    const { text, mget, evalsha } = await duplicate(under, request);
    expect(text).toBe("the answer");
    expect(mget.toSorted()).toEqual([0, 0, 1]);
    expect(evalsha).toEqual([0, 0, 0]);
  });

  it("shares its read with the duplicates of other keys that come with it", async () => {
    const under = await openGate();
    const requests = Array.from({ length: 50 }, () => newRequest());
    await complete(under, ...requests);
    const [before, claims] = [await redis.onNodes(asked), under.record.calls("claim")];
    const results = await Promise.all(requests.map((request) => under.gate.claim(again(request))));
    expect(results.map(textOf)).toEqual(requests.map(() => "the answer"));
    const after = await redis.onNodes(asked);
    expect(sum(after.map(({ mget }) => mget)) - sum(before.map(({ mget }) => mget))).toBe(1);
    expect(under.record.calls("claim")).toBe(claims);
  });
});

describe("a duplicate in another process", () => {
  it("asks all nodes the first time, and reads one from then on", async () => {
    const first = await openGate();
    const second = await openGate(first);
    const request = newRequest();
    await complete(first, request);

    const before = await redis.onNodes(asked);
    const unknown = await duplicate(second, request);
    expect(unknown).toMatchObject({ text: "the answer", reachedStore: false, mget: [0, 0, 0] });
    // One copy decides; the other nodes reply later.
    await expect
      .poll(
        async () =>
          (await redis.onNodes(asked)).map(
            ({ evalsha }, node) => evalsha - (before[node]?.evalsha ?? 0),
          ),
        POLLING,
      )
      .toEqual([1, 1, 1]);

    const known = await duplicate(second, request);
    expect(known).toMatchObject({ text: "the answer", reachedStore: false, evalsha: [0, 0, 0] });
    expect(known.mget.toSorted()).toEqual([0, 0, 1]);
  });
});

describe("a node that has lost its copy", () => {
  it.each(NODES)("costs no call of the store: another node has it (node %i)", async (lost) => {
    const under = await openGate();
    const request = newRequest();
    await complete(under, request);
    await redis.onNodes((node) => node.flushall(), [lost]);
    const before = await redis.onNodes(asked);
    for (let call = 0; call < 2 * NODES.length; call += 1) {
      const { text, reachedStore } = await duplicate(under, request);
      expect(text).toBe("the answer");
      expect(reachedStore).toBe(false);
    }
    // Each node was read in its turn, also the one that has nothing.
    const after = await redis.onNodes(asked);
    expect(after.map(({ mget }, node) => mget - (before[node]?.mget ?? 0))).toEqual([2, 2, 2]);
    // Which gave its lock to those who asked all of them then, and has it back.
    await expect
      .poll(() => redis.onNodes((node) => node.exists(under.namesOf(request).lock)), POLLING)
      .toEqual([0, 0, 0]);
  });

  it("is asked for nothing more where no other node has it: the store replays", async () => {
    const under = await openGate();
    const request = newRequest();
    await complete(under, request);
    await redis.onNodes((node) => node.flushall());
    expect(await duplicate(under, request)).toMatchObject({
      text: "the answer",
      reachedStore: true,
    });
  });
});

describe("a node that hangs", () => {
  it("costs a duplicate some tens of milliseconds, and never the store", async () => {
    const worst: number[] = [];
    for (const hung of [...NODES, ...NODES]) {
      const under = await openGate({ clock: systemClock });
      const request = newRequest();
      await complete(under, request);
      const before = await readsOf(hung);
      const tookMs: number[] = [];
      redis.nodes[hung]?.pause();
      try {
        // Enough that it has its turn, whoever else seems slow.
        for (let call = 0; call < 2 * NODES.length; call += 1) {
          const { result, tookMs: one } = await timed(() => under.gate.claim(again(request)));
          expect(textOf(result)).toBe("the answer");
          tookMs.push(one);
        }
      } finally {
        redis.nodes[hung]?.resume();
      }
      expect(under.record.calls("claim")).toBe(1);
      // It was asked once and then left alone.
      await expect.poll(() => readsOf(hung), POLLING).toBe(before + 1);
      worst.push(Math.max(...tookMs));
    }
    // The best round: what the gate waits for, without what else the machine does.
    expect(Math.min(...worst)).toBeLessThan(HUNG_NODE_COSTS_MS);
  });

  async function readsOf(node: number): Promise<number> {
    return sum((await redis.onNodes(asked, [node])).map(({ mget }) => mget));
  }
});

describe("another request under an answered key", () => {
  it("is never answered with the copy: the store refuses it", async () => {
    const under = await openGate();
    const request = newRequest();
    await complete(under, request);
    for (const _ of NODES) {
      const other = await duplicate(under, { ...request, fingerprint: newFingerprint() });
      expect(other).toMatchObject({ text: "mismatch", reachedStore: true });
      expect(sum(other.mget)).toBe(1);
    }
    expect(await duplicate(under, request)).toMatchObject({
      text: "the answer",
      reachedStore: false,
    });
  });

  it("is refused beside duplicates that come in the same read", async () => {
    const under = await openGate();
    const request = newRequest();
    await complete(under, request);
    const results = await Promise.all(
      [again(request), { ...again(request), fingerprint: newFingerprint() }, again(request)].map(
        under.gate.claim,
      ),
    );
    expect(results.map(textOf)).toEqual(["the answer", "mismatch", "the answer"]);
  });
});

describe("after a restore", () => {
  it.each([
    ["the copy is under its old name only", async () => {}],
    [
      "each node has the copy under its new name",
      async (from: string, to: string) => {
        await redis.onNodes((node) => node.copy(from, to));
      },
    ],
  ])("a process that lives on believes no copy from before: %s", async (_, forge) => {
    const before = createMemoryStore();
    // The database as the restore leaves it: it has never heard of the key.
    const restored = createMemoryStore();
    let generation = 1;
    const under = await openGate({
      generation: () => generation,
      store: {
        ...before,
        claim: (request) => (generation === 1 ? before : restored).claim(request),
      },
    });
    const request = newRequest();
    await complete(under, request);
    const from = under.namesOf(request).copy;
    expect(await duplicate(under, request)).toMatchObject({
      text: "the answer",
      reachedStore: false,
    });

    generation = 2;
    await forge(from, under.namesOf(request).copy);
    const after = await duplicate(under, request);
    expect(after).toMatchObject({ text: "claimed", reachedStore: true });
    expect(after.mget.toSorted()).toEqual([0, 0, 1]);
  });
});
