import { type ChildProcessByStdio, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/idempotency/clock.js";
import { okOutcome } from "../../../src/idempotency/port/outcome.js";
import { scopeHash } from "../../../src/idempotency/port/scope.js";
import type { ClaimRequest } from "../../../src/idempotency/port/store.js";
import { createMemoryStore } from "../../../src/stores/memory/index.js";
import { batchedLocks } from "../../../src/stores/redis/batched-locks.js";
import { connectRedisNodes } from "../../../src/stores/redis/index.js";
import { createNodeBatches } from "../../../src/stores/redis/node-batches.js";
import {
  type GateUnderTest,
  gateOpener,
  type RedisNodesUnderTest,
  startRedisNodesUnderTest,
} from "../../support/idempotency/redis-gate.js";
import { compiledEntry } from "../../support/service/compile.js";
import { again, claimOf, newRequest } from "../../support/stores/contract.js";

// The other side is the redlock package itself, in a process of its own.

const PROGRAM = fileURLToPath(
  new URL("../../support/idempotency/redlock-process.ts", import.meta.url),
);
const LEASE_MS = 30_000;
/** A lock lives a third of the lease. */
const LOCK_MS = LEASE_MS / 3;
const RETENTION_MS = 60_000;

interface RedlockProcess {
  acquire(name: string, ttlMs: number): Promise<boolean>;
  extend(ttlMs: number): Promise<boolean>;
  release(): Promise<boolean>;
}

let redis: RedisNodesUnderTest;
let gates: ReturnType<typeof gateOpener>;
let program: string;
const children: ChildProcessByStdio<Writable, Readable, null>[] = [];

beforeAll(async () => {
  redis = await startRedisNodesUnderTest();
  gates = gateOpener(redis);
  program = await compiledEntry(PROGRAM);
});
afterEach(async () => {
  gates.close();
  for (const child of children.splice(0)) {
    child.stdin.end();
    await once(child, "exit");
  }
});
afterAll(() => redis?.stop());

async function startRedlock(): Promise<RedlockProcess> {
  const urls = redis.nodes.map(({ url }) => url);
  const child = spawn(process.execPath, [program, ...urls], { stdio: ["pipe", "pipe", "inherit"] });
  children.push(child);
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const step = async (line: string) => {
    child.stdin.write(`${line}\n`);
    const { value } = await lines.next();
    return value === "true";
  };
  await step("release"); // it answers once it is there
  return {
    acquire: (name, ttlMs) => step(`acquire ${name} ${ttlMs}`),
    extend: (ttlMs) => step(`extend ${ttlMs}`),
    release: () => step("release"),
  };
}

function lockName({ namespace }: GateUnderTest, { scope }: ClaimRequest): string {
  return `${namespace}:lock:${Buffer.from(scopeHash(scope)).toString("hex")}`;
}

const valuesOf = (name: string) => redis.onNodes((node) => node.get(name));

/** Whether the gate gets its lock for a call that the store of record knows nothing of. */
async function gateGets(under: GateUnderTest, request: ClaimRequest): Promise<boolean> {
  const fresh = await under.beside({ store: createMemoryStore() });
  const claim = claimOf(await fresh.gate.claim(again(request)));
  await fresh.gate.release(claim);
  return fresh.events.at(-1) === "granted";
}

describe("a lock of ours", () => {
  const endings: [string, (under: GateUnderTest, request: ClaimRequest) => Promise<unknown>][] = [
    ["is released", async ({ gate }, request) => gate.release(claimOf(await gate.claim(request)))],
    [
      "ends with an answer",
      async ({ gate }, request) =>
        gate.complete(
          claimOf(await gate.claim(request)),
          okOutcome(Buffer.from("1")),
          RETENTION_MS,
        ),
    ],
  ];
  it.each(endings)("is not given to redlock before it %s", async (_, end) => {
    const under = await gates.open();
    const request = newRequest({ leaseMs: LEASE_MS });
    const other = await startRedlock();
    const name = lockName(under, request);
    // The store of record says when: what it does not know yet, the gate cannot have let go.
    const { gate } = await under.beside({
      store: {
        ...under.record.store,
        async claim(asked) {
          expect(await other.acquire(name, LOCK_MS)).toBe(false);
          return under.record.store.claim(asked);
        },
      },
    });
    await end({ ...under, gate }, request);
    await expect.poll(() => valuesOf(name)).toEqual([null, null, null]);
    expect(await other.acquire(name, LOCK_MS)).toBe(true);
  });

  it("is not given to redlock while a call executes under it and heartbeats extend it", async () => {
    const under = await gates.open();
    const other = await startRedlock();
    const leaseMs = 1_500;
    const request = newRequest({ leaseMs });
    const claim = claimOf(await under.gate.claim(request));
    for (let beat = 0; beat < 10; beat += 1) {
      expect(await other.acquire(lockName(under, request), LOCK_MS)).toBe(false);
      await sleep(leaseMs / 10);
      expect(await under.gate.extend(claim, leaseMs)).toBe(true);
    }
    await under.gate.release(claim);
    expect(await other.acquire(lockName(under, request), LOCK_MS)).toBe(true);
  });

  it("goes to redlock once it has run out", async () => {
    const under = await gates.open();
    const other = await startRedlock();
    const request = newRequest({ leaseMs: 1_500 });
    claimOf(await under.gate.claim(request));
    expect(await other.acquire(lockName(under, request), LOCK_MS)).toBe(false);
    await sleep(550);
    expect(await other.acquire(lockName(under, request), LOCK_MS)).toBe(true);
  });
});

describe("a lock of redlock", () => {
  it("is not given to us before it is released, also once extended", async () => {
    const under = await gates.open();
    const request = newRequest();
    const other = await startRedlock();
    expect(await other.acquire(lockName(under, request), 500)).toBe(true);
    expect(await gateGets(under, request)).toBe(false);
    expect(await other.extend(LOCK_MS)).toBe(true);
    await sleep(600);
    expect(await gateGets(under, request)).toBe(false);
    expect(await other.release()).toBe(true);
    expect(await gateGets(under, request)).toBe(true);
  });

  it("is left alone by whatever we do with a call of that name", async () => {
    const under = await gates.open();
    const request = newRequest();
    const name = lockName(under, request);
    const other = await startRedlock();
    expect(await other.acquire(name, LOCK_MS)).toBe(true);
    // It is granted by two nodes; the third may hear of it later.
    await expect.poll(() => valuesOf(name)).not.toContain(null);
    const before = await valuesOf(name);
    const claim = claimOf(await under.gate.claim(request));
    await under.gate.extend(claim, LEASE_MS);
    await under.gate.claim(again(request));
    await under.gate.complete(claim, okOutcome(Buffer.from("1")), RETENTION_MS);
    expect(await valuesOf(name)).toEqual(before);
    expect(await other.release()).toBe(true);
  });

  it("goes to us once it has run out", async () => {
    const under = await gates.open();
    const request = newRequest();
    const other = await startRedlock();
    expect(await other.acquire(lockName(under, request), 100)).toBe(true);
    await sleep(150);
    expect(await gateGets(under, request)).toBe(true);
  });
});

describe("redlock and ours that want one lock again and again", () => {
  /** Enough for both to win and to split votes. */
  const ROUNDS = 300;
  const TTL_MS = 10_000;

  it("never have it at the same time, and both get it", async () => {
    const name = `test:${randomUUID()}:lock`;
    const clients = connectRedisNodes(
      redis.nodes.map(({ url }) => url),
      () => {},
    );
    await Promise.all(clients.map((node) => once(node, "ready")));
    const batches = createNodeBatches({ nodes: clients, clock: systemClock, soon: setImmediate });
    const locks = batchedLocks({
      nodeCount: clients.length,
      batches,
      clock: systemClock,
      processName: randomUUID(),
    });
    const holders = new Set<string>();
    const wins = { ours: 0, redlock: 0 };

    async function hold(who: keyof typeof wins): Promise<void> {
      holders.add(who);
      wins[who] += 1;
      await sleep(1);
      expect([...holders]).toEqual([who]);
      holders.delete(who);
    }
    async function ours(): Promise<void> {
      const reply = await locks.request({
        lockName: name,
        copyName: `${name}:copy`,
        request: randomUUID(),
        ttlMs: TTL_MS,
        verify: () => undefined,
        onSent: () => {},
      });
      if (reply.kind === "granted") {
        await hold("ours");
        await reply.lock.release();
      }
    }
    const other = await startRedlock();
    async function redlocks(): Promise<void> {
      if (await other.acquire(name, TTL_MS)) {
        await hold("redlock");
        await other.release();
      }
    }
    async function again(turn: () => Promise<void>): Promise<void> {
      for (let round = 0; round < ROUNDS; round += 1) {
        await turn();
        await sleep(Math.random() * 3);
      }
    }
    await Promise.all([again(ours), again(redlocks)]);
    for (const node of clients) {
      node.disconnect();
    }
    expect(wins.ours).toBeGreaterThan(0);
    expect(wins.redlock).toBeGreaterThan(0);
  });
});
