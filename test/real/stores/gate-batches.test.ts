import { setTimeout as sleep } from "node:timers/promises";
import type { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { okOutcome } from "../../../src/idempotency/port/outcome.js";
import type { ClaimRequest } from "../../../src/idempotency/port/store.js";
import {
  copyName,
  type GateUnderTest,
  gateOpener,
  lockName,
  type RedisNodesUnderTest,
  startRedisNodesUnderTest,
} from "../../support/idempotency/redis-gate.js";
import { again, claimOf, newFingerprint, newRequest } from "../../support/stores/contract.js";

const RETENTION_MS = 60_000;

/** Much longer than it takes until a lock says that a call is executing. */
const SURELY_MARKED_MS = 200;

/** Claims that may wait for the nodes. */
const MAX_WAITING = 10_000;

let redis: RedisNodesUnderTest;
let gates: ReturnType<typeof gateOpener>;

beforeAll(async () => {
  redis = await startRedisNodesUnderTest();
  gates = gateOpener(redis);
});
afterAll(async () => {
  gates?.close();
  await redis?.stop();
});

const answer = okOutcome(Buffer.from("the answer"));

async function complete(under: GateUnderTest, request: ClaimRequest): Promise<void> {
  const claim = claimOf(await under.gate.claim(request));
  expect(await under.gate.complete(claim, answer, RETENTION_MS)).toBe(true);
}

/** Script calls that a node has answered so far. */
async function scriptCalls(node: Redis): Promise<number> {
  const statistics = await node.info("commandstats");
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(statistics)?.[1] ?? 0);
}

describe("claims that come together", () => {
  it("share script calls to each node", async () => {
    const under = await gates.open();
    await complete(under, newRequest()); // the nodes know the script now
    const before = await redis.onNodes(scriptCalls);
    const results = await Promise.all(
      Array.from({ length: 200 }, () => under.gate.claim(newRequest())),
    );
    expect(results.every(({ kind }) => kind === "claimed")).toBe(true);
    const after = await redis.onNodes(scriptCalls);
    after.forEach((calls, node) => {
      // On a busy machine some have lasted long enough to be marked, again together.
      expect(calls - (before[node] ?? 0)).toBeLessThanOrEqual(4);
    });
  });

  it("each get their own answer, whatever becomes of the others", async () => {
    const under = await gates.open();
    const [done, running, split, fresh] = [newRequest(), newRequest(), newRequest(), newRequest()];
    await complete(under, done);
    claimOf(await under.gate.claim(running));
    // Two nodes have a foreign lock: a majority refuses.
    await redis.onNodes(
      (node) => node.set(lockName(under, split), "foreign", "PX", 60_000),
      [0, 1],
    );
    const other = { ...again(running), fingerprint: newFingerprint() };
    const before = under.record.calls("claim");
    const results = await Promise.all(
      [again(done), again(running), other, again(split), fresh].map(under.gate.claim),
    );
    expect(results.map(({ kind }) => kind)).toEqual([
      "replay",
      "in_progress",
      "mismatch",
      "claimed",
      "claimed",
    ]);
    // Those of the answered call and of the one in flight were spared.
    expect(under.record.calls("claim") - before).toBe(3);
  });

  it("past what may wait go to the store of record, and none fails", async () => {
    const under = await gates.open();
    const results = await Promise.all(
      Array.from({ length: MAX_WAITING + 500 }, () => under.gate.claim(newRequest())),
    );
    expect(results.every(({ kind }) => kind === "claimed")).toBe(true);
    expect(under.events).toEqual(Array(MAX_WAITING).fill("granted"));
  });

  it("are not harmed by a name in Redis that holds something else", async () => {
    const under = await gates.open();
    const [lock, copy, fine] = [newRequest(), newRequest(), newRequest()];
    await redis.onNodes(async (node) => {
      await node.hset(lockName(under, lock), "a", "hash");
      await node.hset(copyName(under, copy), "a", "hash");
    });
    const results = await Promise.all([lock, copy, fine].map(under.gate.claim));
    const claims = results.map(claimOf);
    await Promise.all(claims.map((claim) => under.gate.complete(claim, answer, RETENTION_MS)));
    const replays = await Promise.all(
      [lock, copy, fine].map((request) => under.gate.claim(again(request))),
    );
    expect(replays.map(({ kind }) => kind)).toEqual(["replay", "replay", "replay"]);
  });

  it("see what this process has completed before", async () => {
    const under = await gates.open();
    const request = newRequest();
    const claim = claimOf(await under.gate.claim(request));
    await under.gate.complete(claim, answer, RETENTION_MS);
    const before = under.record.calls("claim");
    expect((await under.gate.claim(again(request))).kind).toBe("replay");
    expect(under.record.calls("claim")).toBe(before);
  });
});

describe("claims of one call that come together", () => {
  it("are one claim for the store of record, and the others are told that it is executing", async () => {
    const under = await gates.open();
    const request = newRequest();
    const results = await Promise.all(
      Array.from({ length: 100 }, () => under.gate.claim(again(request))),
    );
    expect(results.filter(({ kind }) => kind === "claimed")).toHaveLength(1);
    expect(results.filter(({ kind }) => kind === "in_progress")).toHaveLength(99);
    expect(under.record.calls("claim")).toBe(1);
  });

  it("are all refused if that one is", async () => {
    const under = await gates.open();
    const request = newRequest();
    under.record.lose("claim", "request", 1);
    const results = await Promise.allSettled(
      Array.from({ length: 3 }, () => under.gate.claim(again(request))),
    );
    expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
    expect(under.record.calls("claim")).toBe(1);
  });

  it("are claims of their own where the request is another, if only by its bytes", async () => {
    const under = await gates.open();
    const request = newRequest();
    const { canonical, version } = request.fingerprint;
    const others = [
      { ...again(request), fingerprint: newFingerprint() },
      { ...again(request), fingerprint: { ...newFingerprint(), canonical, version } },
    ];
    const results = await Promise.all([request, ...others].map(under.gate.claim));
    expect(results.map(({ kind }) => kind)).toEqual(["claimed", "mismatch", "in_progress"]);
    expect(under.record.calls("claim")).toBe(3);
  });

  it("do not hide from an owner whose reply was lost that it is the owner", async () => {
    const under = await gates.open();
    const request = newRequest();
    under.record.lose("claim", "reply", 1);
    await expect(under.gate.claim(request)).rejects.toThrow("lost");
    const results = await Promise.all([
      under.gate.claim(again(request)),
      under.gate.claim({ ...request, mayBeOwner: true }),
    ]);
    expect(results.map(({ kind }) => kind)).toEqual(["in_progress", "claimed"]);
  });
});

describe("a lock", () => {
  it("says that a call is executing once it has for a while, to every process", async () => {
    const first = await gates.open();
    const second = await first.beside();
    const request = newRequest();
    claimOf(await first.gate.claim(request));
    await sleep(SURELY_MARKED_MS);
    expect((await second.gate.claim(again(request))).kind).toBe("in_progress");
    expect(second.record.calls("claim")).toBe(0);
    expect(second.events).toEqual(["held"]);
  });

  it("says so to the duplicates of its own process at once", async () => {
    const under = await gates.open();
    const request = newRequest();
    claimOf(await under.gate.claim(request));
    expect((await under.gate.claim(again(request))).kind).toBe("in_progress");
    expect(under.record.calls("claim")).toBe(1);
  });

  it("never says so while its holder only looks for an old answer", async () => {
    const first = await gates.open();
    const second = await first.beside();
    const request = newRequest();
    await complete(first, request);
    await redis.onNodes((node) => node.del(copyName(first, request)));
    const looking = first.record.stall("claim");
    const look = first.gate.claim(again(request));
    await sleep(SURELY_MARKED_MS);
    expect((await second.gate.claim(again(request))).kind).toBe("replay");
    expect(second.record.calls("claim")).toBe(1);
    looking.open();
    expect((await look).kind).toBe("replay");
  });

  it("is on no node any more when an owner that others were told of has answered", async () => {
    const under = await gates.open();
    const request = newRequest();
    const claim = claimOf(await under.gate.claim(request));
    await sleep(SURELY_MARKED_MS);
    await under.gate.complete(claim, answer, RETENTION_MS);
    const holders = await redis.onNodes((node) => node.get(lockName(under, request)));
    expect(holders.filter((holder) => holder !== null).length).toBeLessThan(2);
  });
});
