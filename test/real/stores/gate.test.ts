import { randomBytes, randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Code } from "../../../src/idempotency/answers/code.js";
import { type Outcome, okOutcome } from "../../../src/idempotency/port/outcome.js";
import type { ClaimRequest, ClaimResult } from "../../../src/idempotency/port/store.js";
import { createMemoryStore } from "../../../src/stores/memory/index.js";
import { createCachedOutcomes } from "../../../src/stores/redis/cached-outcome.js";
import { requestName } from "../../../src/stores/redis/names.js";
import { executing } from "../../../src/stores/redis/script.js";
import {
  copyName,
  type GateUnderTest,
  gateOpener,
  lockName,
  type RedisNodesUnderTest,
  startRedisNodesUnderTest,
  timesToLive,
} from "../../support/idempotency/redis-gate.js";
import { again, claimOf, newFingerprint, newRequest } from "../../support/stores/contract.js";

const RETENTION_MS = 60_000;
const LEASE_MS = 30_000;

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

const answer: Outcome = {
  code: Code.OK,
  message: "",
  headers: [["x-served-by", "first"]],
  body: Buffer.from("the answer"),
  trailers: [],
};

/** Completes a call behind the gate. */
async function complete(under: GateUnderTest, request: ClaimRequest, outcome = answer) {
  const claim = claimOf(await under.gate.claim(request));
  expect(await under.gate.complete(claim, outcome, RETENTION_MS)).toBe(true);
}

/** Sends a duplicate and tells whether the store of record was asked for it. */
async function duplicate(under: GateUnderTest, request: ClaimRequest) {
  const before = under.record.calls("claim");
  const result = await under.gate.claim(again(request));
  return { result, reachedStore: under.record.calls("claim") > before };
}

function textOf(result: ClaimResult): string {
  return result.kind === "replay" ? Buffer.from(result.outcome.body).toString() : result.kind;
}

async function names(under: GateUnderTest): Promise<string[]> {
  const found = await redis.onNodes((node) => timesToLive(node, under.namespace));
  return found.flatMap((times) => [...times.keys()]);
}

describe("a duplicate of a completed call", () => {
  it("is answered without the store of record, in every process", async () => {
    const first = await gates.open();
    const second = await first.beside();
    const request = newRequest();
    await complete(first, request);
    for (const process of [first, second]) {
      const { result, reachedStore } = await duplicate(process, request);
      expect(textOf(result)).toBe("the answer");
      expect(result).toMatchObject({ outcome: { code: Code.OK, headers: answer.headers } });
      expect(reachedStore).toBe(false);
      expect(process.events.at(-1)).toBe("hit");
    }
  });

  it.each([0, 1, 2])("is so too when node %i alone still has the copy", async (survivor) => {
    const under = await gates.open();
    const request = newRequest();
    await complete(under, request);
    await redis.onNodes(
      (node) => node.del(copyName(under, request)),
      [0, 1, 2].filter((index) => index !== survivor),
    );
    // The nodes race: a lock granted by the two others first goes to the store, which is as good.
    for (let tries = 0; tries < 20; tries += 1) {
      const { result, reachedStore } = await duplicate(under, request);
      expect(textOf(result)).toBe("the answer");
      if (!reachedStore) {
        return;
      }
    }
    expect.unreachable("no duplicate was answered from the copy");
  });

  it("is answered by the store of record when no node has it", async () => {
    const under = await gates.open();
    const request = newRequest();
    await complete(under, request);
    await redis.onNodes((node) => node.flushall());
    const { result, reachedStore } = await duplicate(under, request);
    expect(textOf(result)).toBe("the answer");
    expect(reachedStore).toBe(true);
  });

  it("with another request goes to the store of record, which alone refuses it", async () => {
    const under = await gates.open();
    const request = newRequest();
    await complete(under, request);
    const other = await duplicate(under, { ...request, fingerprint: newFingerprint() });
    expect(other).toEqual({ result: { kind: "mismatch" }, reachedStore: true });
  });

  it("replays an error, too", async () => {
    const under = await gates.open();
    const request = newRequest();
    await complete(under, request, { ...answer, code: Code.NOT_FOUND, message: "none" });
    const { result, reachedStore } = await duplicate(under, request);
    expect(result).toMatchObject({ outcome: { code: Code.NOT_FOUND, message: "none" } });
    expect(reachedStore).toBe(false);
  });

  it("finds the copy of an answer that was completed in the handler's own transaction", async () => {
    const under = await gates.open();
    const request = newRequest();
    const claim = claimOf(await under.gate.claim(request));
    await under.record.store.complete(claim, answer, RETENTION_MS);
    await under.gate.committed(claim, answer, RETENTION_MS);
    expect((await duplicate(under, request)).reachedStore).toBe(false);
  });
});

describe("a duplicate of a call in flight", () => {
  it("is told so without the store of record, in every process", async () => {
    const first = await gates.open();
    const second = await first.beside();
    const request = newRequest();
    claimOf(await first.gate.claim(request));
    for (const process of [first, second]) {
      const { result, reachedStore } = await duplicate(process, request);
      expect(result.kind).toBe("in_progress");
      expect(reachedStore).toBe(false);
      expect(process.events.at(-1)).toBe("held");
    }
  });

  it("with another request goes to the store of record, which alone refuses it", async () => {
    const under = await gates.open();
    const request = newRequest();
    claimOf(await under.gate.claim(request));
    const other = await duplicate(under, { ...request, fingerprint: newFingerprint() });
    expect(other).toEqual({ result: { kind: "mismatch" }, reachedStore: true });
    expect(under.events.at(-1)).toBe("undecided");
    // And it has not harmed the lock of the owner.
    expect((await duplicate(under, request)).reachedStore).toBe(false);
  });

  it("of another tenant, operation or deployment is no duplicate", async () => {
    const under = await gates.open();
    const request = newRequest();
    claimOf(await under.gate.claim(request));
    for (const changed of [{ tenant: "other" }, { operation: "other" }]) {
      const scope = { ...request.scope, ...changed };
      expect((await under.gate.claim({ ...again(request), scope })).kind).toBe("claimed");
    }
    const restored = await under.beside({
      namespace: under.namespace.replace(/1$/, "2"),
      store: createMemoryStore(),
    });
    expect((await restored.gate.claim(again(request))).kind).toBe("claimed");
  });
});

describe("a copy that is not this answer to this request", () => {
  /** Puts bytes where a completed call's copy was, on all nodes, and sends a duplicate. */
  async function afterForging(under: GateUnderTest, request: ClaimRequest, bytes: Buffer) {
    await redis.onNodes((node) => node.set(copyName(under, request), bytes, "PX", 60_000));
    const { result, reachedStore } = await duplicate(under, request);
    return { text: textOf(result), reachedStore };
  }
  const fromTheStore = { text: "the answer", reachedStore: true };

  async function copyOf(under: GateUnderTest, request: ClaimRequest): Promise<Buffer> {
    const [copy] = await redis.onNodes((node) => node.getBuffer(copyName(under, request)), [0]);
    if (copy === undefined || copy === null) {
      throw new Error("there is no copy");
    }
    return copy;
  }

  it("is never believed with one bit flipped, wherever", async () => {
    const under = await gates.open();
    const request = newRequest();
    await complete(under, request);
    const copy = await copyOf(under, request);
    expect(await afterForging(under, request, copy)).toEqual({
      text: "the answer",
      reachedStore: false,
    });
    const believed: number[] = [];
    for (let index = 0; index < copy.length; index += 1) {
      const flipped = Buffer.from(copy);
      flipped[index] = (flipped[index] ?? 0) ^ (1 << (index % 8));
      const { text, reachedStore } = await afterForging(under, request, flipped);
      expect(text, `byte ${index}`).toBe("the answer");
      if (!reachedStore) {
        believed.push(index);
      }
    }
    // The tags of its two first fields: what the copy says is the same without that bit.
    expect(believed.length).toBeLessThanOrEqual(2);
  });

  it("is never believed when it is cut, or is no copy at all", async () => {
    const under = await gates.open();
    const request = newRequest();
    await complete(under, request);
    const copy = await copyOf(under, request);
    const cuts = [0, 1, 10, 33, 34, 35].map((length) => copy.subarray(0, copy.length - length));
    const forged = [...cuts.slice(1), Buffer.alloc(0), Buffer.from("{}"), randomBytes(copy.length)];
    for (const bytes of forged) {
      expect(await afterForging(under, request, bytes)).toEqual(fromTheStore);
    }
  });

  it.each([
    ["another key's", (request: ClaimRequest) => ({ ...request.scope, key: randomUUID() })],
    ["another tenant's", (request: ClaimRequest) => ({ ...request.scope, tenant: "other" })],
    ["another operation's", (request: ClaimRequest) => ({ ...request.scope, operation: "other" })],
  ])("is never believed when it is %s, of equal bytes", async (_, scopeFrom) => {
    const under = await gates.open();
    const request = newRequest();
    const other = { ...again(request), scope: scopeFrom(request) };
    await complete(under, request);
    await complete(under, other, okOutcome(Buffer.from("not yours")));
    expect(await afterForging(under, request, await copyOf(under, other))).toEqual(fromTheStore);
  });

  it("is never believed when it answers another request of the same key", async () => {
    const under = await gates.open();
    const request = newRequest();
    await complete(under, request);
    const forged = createCachedOutcomes({ namespace: () => under.namespace }).encode(
      request.scope,
      newFingerprint(),
      answer,
    );
    expect(await afterForging(under, request, Buffer.from(forged))).toEqual(fromTheStore);
  });

  it("is never believed when it was made before a restore, or by another deployment", async () => {
    const request = newRequest();
    const before = await gates.open();
    await complete(before, request, okOutcome(Buffer.from("before the restore")));
    for (const namespace of [before.namespace.replace(/1$/, "2"), `test:${randomUUID()}:1`]) {
      const after = await gates.open({ namespace });
      await complete(after, request);
      expect(await afterForging(after, request, await copyOf(before, request))).toEqual(
        fromTheStore,
      );
    }
  });

  it.each([
    ["another secret", { secret: "guessed" }],
    ["no secret", {}],
  ])("is never believed under a secret when it was made with %s", async (_, forger) => {
    const under = await gates.open({ secret: "of this deployment" });
    const request = newRequest();
    await complete(under, request);
    const copies = createCachedOutcomes({ namespace: () => under.namespace, ...forger });
    const forged = copies.encode(
      request.scope,
      request.fingerprint,
      okOutcome(Buffer.from("mine")),
    );
    expect(await afterForging(under, request, Buffer.from(forged))).toEqual(fromTheStore);
    expect((await duplicate(await under.beside(), request)).result.kind).toBe("replay");
  });
});

describe("what the gate writes to Redis", () => {
  it("has an end, each of it, after a run of everything", async () => {
    const under = await gates.open();
    const ended = [newRequest(), newRequest(), newRequest(), newRequest()];
    const claims = [];
    for (const request of ended) {
      claims.push(claimOf(await under.gate.claim(request)));
    }
    const [completed, released, suspended, held] = claims;
    if (!completed || !released || !suspended || !held) {
      throw new Error("unreachable");
    }
    await under.gate.extend(completed, LEASE_MS);
    const live = newRequest();
    const liveClaim = claimOf(await under.gate.claim(live));
    await under.gate.extend(liveClaim, LEASE_MS);
    await under.gate.complete(completed, answer, RETENTION_MS);
    await under.gate.release(released);
    await under.gate.suspend(suspended, { kind: "rerun", afterMs: 100, reason: "lost" });
    await under.gate.suspend(held, { kind: "hold", reason: "lost" });
    await Promise.all([...ended, live].map((request) => under.gate.claim(again(request))));

    const found = await redis.onNodes((node) => timesToLive(node, under.namespace));
    for (const times of found) {
      expect(times.size).toBeGreaterThan(0);
      for (const [name, ttlMs] of times) {
        expect(ttlMs, name).toBeGreaterThan(0);
        expect(ttlMs, name).toBeLessThanOrEqual(name.includes(":copy:") ? 60_000 : LEASE_MS / 3);
      }
    }
  });

  it("has no lock left once a claim has ended, in whatever way", async () => {
    const endings: [string, (under: GateUnderTest, request: ClaimRequest) => Promise<unknown>][] = [
      [
        "complete",
        async ({ gate }, request) =>
          gate.complete(claimOf(await gate.claim(request)), answer, RETENTION_MS),
      ],
      ["release", async ({ gate }, request) => gate.release(claimOf(await gate.claim(request)))],
      [
        "suspend",
        async ({ gate }, request) =>
          gate.suspend(claimOf(await gate.claim(request)), { kind: "hold", reason: "lost" }),
      ],
      [
        "complete too late",
        async (under, request) =>
          under.gate.complete(await lose(under, request), answer, RETENTION_MS),
      ],
      [
        "release too late",
        async (under, request) => under.gate.release(await lose(under, request)),
      ],
      [
        "suspend too late",
        async (under, request) =>
          under.gate.suspend(await lose(under, request), { kind: "hold", reason: "lost" }),
      ],
      [
        "extend too late",
        async (under, request) => under.gate.extend(await lose(under, request), LEASE_MS),
      ],
    ];
    for (const [name, end] of endings) {
      const under = await gates.open();
      const request = newRequest();
      await end(under, request);
      await expect
        .poll(async () => (await names(under)).filter((left) => left.includes(":lock:")), {
          message: name,
        })
        .toEqual([]);
    }
  });

  /** Claims, and loses the claim to another behind the gate's back. */
  async function lose(under: GateUnderTest, request: ClaimRequest) {
    const short = { ...request, leaseMs: 50 };
    const claim = claimOf(await under.gate.claim(short));
    // The lock outlives the claim, as when clocks run apart.
    await redis.onNodes((node) => node.pexpire(lockName(under, request), LEASE_MS));
    await sleep(60);
    claimOf(await under.record.store.claim({ ...again(request), leaseMs: LEASE_MS }));
    return claim;
  }

  it("is no copy of an answer above 64 KiB: the store of record replays it", async () => {
    const under = await gates.open();
    const [small, large] = [newRequest(), newRequest()];
    await complete(under, small, okOutcome(randomBytes(63 * 1024)));
    await complete(under, large, okOutcome(randomBytes(64 * 1024)));
    expect((await duplicate(under, small)).reachedStore).toBe(false);
    expect(await names(under)).not.toContain(copyName(under, large));
    expect((await duplicate(under, large)).reachedStore).toBe(true);
  });

  it("lives no longer than the answer's retention, nor than a copy may", async () => {
    const under = await gates.open({ copyTtlMs: 5_000 });
    const requests = [newRequest(), newRequest()];
    const retentions = [1_000, 60_000];
    for (const [index, request] of requests.entries()) {
      const claim = claimOf(await under.gate.claim(request));
      await under.gate.complete(claim, answer, retentions[index] ?? 0);
    }
    for (const times of await redis.onNodes((node) => timesToLive(node, under.namespace))) {
      expect(times.get(copyName(under, requests[0] ?? newRequest()))).toBeLessThanOrEqual(1_000);
      expect(times.get(copyName(under, requests[1] ?? newRequest()))).toBeLessThanOrEqual(5_000);
    }
    await sleep(1_050);
    const passed = await duplicate(under, requests[0] ?? newRequest());
    expect(passed).toEqual({ result: { kind: "expired" }, reachedStore: true });
  });
});

describe("the gate's lock", () => {
  it("dies a third of the lease after its owner; then the store of record answers, then another owner", async () => {
    const leaseMs = 1_500;
    const under = await gates.open();
    const request = newRequest({ leaseMs });
    claimOf(await under.gate.claim(request));
    expect(await duplicate(under, request)).toMatchObject({
      result: { kind: "in_progress" },
      reachedStore: false,
    });
    await sleep(leaseMs / 3 + 100);
    expect(await duplicate(under, request)).toMatchObject({
      result: { kind: "in_progress" },
      reachedStore: true,
    });
    await sleep(leaseMs);
    const taken = claimOf((await duplicate(under, request)).result);
    expect(taken.attempt).toBe(2);
    // The lock of a claim that the store refused is gone at once, so this one is the new owner's.
    expect((await duplicate(under, request)).reachedStore).toBe(false);
  });

  it("lives on by the owner's heartbeat", async () => {
    const leaseMs = 900;
    const under = await gates.open();
    const request = newRequest({ leaseMs });
    const claim = claimOf(await under.gate.claim(request));
    for (let beat = 0; beat < 10; beat += 1) {
      await sleep(leaseMs / 5);
      expect(await under.gate.extend(claim, leaseMs)).toBe(true);
    }
    expect(await duplicate(under, request)).toMatchObject({
      result: { kind: "in_progress" },
      reachedStore: false,
    });
  });

  it("is given back when the store of record fails, so that the same call can ask again at once", async () => {
    const under = await gates.open();
    for (const loss of ["request", "reply"] as const) {
      const request = newRequest();
      under.record.lose("claim", loss, 1);
      await expect(under.gate.claim(request)).rejects.toThrow("lost");
      expect(claimOf(await under.gate.claim(request)).claimId).toBe(request.claimId);
      expect(under.events).toEqual(Array(under.events.length).fill("granted"));
    }
    expect(under.events).toHaveLength(4);
  });

  it("is decided by the store of record when the nodes name different holders", async () => {
    const under = await gates.open();
    const request = newRequest();
    // Both say that this very request is executing.
    const holders = ["one", "two"].map(
      (token) => token + executing(requestName(request.fingerprint)),
    );
    for (const [index, holder] of holders.entries()) {
      await redis.onNodes(
        (node) => node.set(lockName(under, request), holder, "PX", LEASE_MS),
        [index],
      );
    }
    const split = await duplicate(under, request);
    expect(split).toMatchObject({ result: { kind: "claimed" }, reachedStore: true });
    expect(under.events).toEqual(["undecided"]);
    expect(await duplicate(under, request)).toMatchObject({
      result: { kind: "in_progress" },
      reachedStore: true,
    });
    // Nothing of the attempts stays on the third node, and nothing foreign was removed.
    await expect
      .poll(() => redis.onNodes((node) => node.get(lockName(under, request))))
      .toEqual([...holders, null]);
  });

  it("makes no second owner when it is flushed while its owner works", async () => {
    const first = await gates.open();
    const second = await first.beside();
    const request = newRequest();
    const claim = claimOf(await first.gate.claim(request));
    await redis.onNodes((node) => node.flushall());
    const duplicates = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        (index % 2 === 0 ? first : second).gate.claim(again(request)),
      ),
    );
    expect(new Set(duplicates.map(({ kind }) => kind))).toEqual(new Set(["in_progress"]));
    expect(await first.gate.extend(claim, LEASE_MS)).toBe(true);
    expect(await first.gate.complete(claim, answer, RETENTION_MS)).toBe(true);
    expect((await duplicate(second, request)).result.kind).toBe("replay");
  });

  it("lets one of two hundred through to the store of record, and answers the others itself", async () => {
    const first = await gates.open();
    const second = await first.beside();
    const request = newRequest();
    const results = await Promise.all(
      Array.from({ length: 200 }, (_, index) =>
        (index % 2 === 0 ? first : second).gate.claim(again(request)),
      ),
    );
    expect(results.filter(({ kind }) => kind === "claimed")).toHaveLength(1);
    expect(results.filter(({ kind }) => kind === "in_progress")).toHaveLength(199);
  });
});
