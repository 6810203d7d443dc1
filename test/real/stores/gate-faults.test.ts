import { execFile } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { okOutcome } from "../../../src/idempotency/port/outcome.js";
import type { ClaimRequest } from "../../../src/idempotency/port/store.js";
import {
  type GateUnderTest,
  gateOpener,
  type RedisNodesUnderTest,
  startRedisNodesUnderTest,
  timed,
} from "../../support/idempotency/redis-gate.js";
import { compiledEntry } from "../../support/service/compile.js";
import { again, claimOf, newFingerprint, newRequest } from "../../support/stores/contract.js";

const RETENTION_MS = 60_000;

/** What one node may take, with what a busy machine adds. */
const ONE_TIMEOUT_MS = 250;
const BOUND_MS = 1_000;

/** After a time without a quorum the gate asks the nodes again. */
const STEP_ASIDE_MS = 1_000;

const run = promisify(execFile);
const PROGRAM = fileURLToPath(
  new URL("../../support/idempotency/gate-process.ts", import.meta.url),
);
const PROGRAM_LIMIT_MS = 20_000;

let redis: RedisNodesUnderTest;
let gates: ReturnType<typeof gateOpener>;

beforeAll(async () => {
  redis = await startRedisNodesUnderTest();
  gates = gateOpener(redis);
});
afterEach(async () => {
  gates.close();
  await Promise.all(redis.nodes.map((node) => node.restart()));
});
afterAll(() => redis?.stop());

const answer = okOutcome(Buffer.from("the answer"));

async function complete(under: GateUnderTest, request: ClaimRequest) {
  const claim = claimOf(await under.gate.claim(request));
  expect(await under.gate.complete(claim, answer, RETENTION_MS)).toBe(true);
}

async function duplicate(under: GateUnderTest, request: ClaimRequest) {
  const before = under.record.calls("claim");
  const { result, tookMs } = await timed(() => under.gate.claim(again(request)));
  return { kind: result.kind, reachedStore: under.record.calls("claim") > before, tookMs };
}

/** Waits until all nodes have the copy of one call and the lock of another; a majority is enough for the gate. */
async function everyNodeKnows({ namespace }: GateUnderTest) {
  const counts = () => redis.onNodes(async (node) => (await node.keys(`${namespace}:*`)).length);
  await expect.poll(counts).toEqual([2, 2, 2]);
}

/** Takes a claim to its end and tells how long each step took. */
async function oneCall(under: GateUnderTest) {
  const request = newRequest();
  const claimed = await timed(() => under.gate.claim(request));
  const claim = claimOf(claimed.result);
  const extended = await timed(() => under.gate.extend(claim, request.leaseMs));
  expect(extended.result).toBe(true);
  const held = await duplicate(under, request);
  expect(held.kind).toBe("in_progress");
  const completed = await timed(() => under.gate.complete(claim, answer, RETENTION_MS));
  expect(completed.result).toBe(true);
  const replayed = await duplicate(under, request);
  expect(replayed.kind).toBe("replay");
  return {
    steps: [claimed.tookMs, extended.tookMs, held.tookMs, completed.tookMs, replayed.tookMs],
    reachedStore: [held.reachedStore, replayed.reachedStore],
  };
}

/** The quickest of a few calls in each step: what the gate waits for, without what else the machine does. */
function quickest(calls: readonly { readonly steps: readonly number[] }[]): number[] {
  return [0, 1, 2, 3, 4].map((step) => Math.min(...calls.map(({ steps }) => steps[step] ?? 0)));
}

async function severalCalls(under: GateUnderTest) {
  const calls = [];
  for (let call = 0; call < 4; call += 1) {
    calls.push(await oneCall(under));
  }
  return calls;
}

/** Waits until the gate works as if nothing had been. */
async function recovers(under: GateUnderTest) {
  await sleep(STEP_ASIDE_MS);
  await expect
    .poll(async () => (await oneCall(under)).reachedStore, { timeout: 10_000, interval: 300 })
    .toEqual([false, false]);
}

describe("one node of three", () => {
  const harms: [string, (node: RedisNodesUnderTest["nodes"][number]) => void | Promise<void>][] = [
    ["is killed", (node) => node.kill()],
    ["hangs", (node) => node.pause()],
  ];
  for (const index of [0, 1, 2]) {
    it.each(harms)(
      `%s (node ${index}): duplicates still spare the store of record, and nobody waits for it`,
      async (_, harm) => {
        const under = await gates.open();
        const [done, running] = [newRequest(), newRequest()];
        await complete(under, done);
        claimOf(await under.gate.claim(running));
        await everyNodeKnows(under);
        const node = redis.nodes[index];
        await (node && harm(node));

        expect(await duplicate(under, running)).toMatchObject({
          kind: "in_progress",
          reachedStore: false,
        });
        expect(await duplicate(under, done)).toMatchObject({ kind: "replay", reachedStore: false });
        const calls = await severalCalls(under);
        expect(calls.map(({ reachedStore }) => reachedStore)).toEqual(
          calls.map(() => [false, false]),
        );
        expect(Math.max(...calls.flatMap(({ steps }) => steps))).toBeLessThan(BOUND_MS);
        for (const tookMs of quickest(calls)) {
          expect(tookMs).toBeLessThan(ONE_TIMEOUT_MS * 0.8);
        }
        expect(under.events).not.toContain("stepped_aside");
      },
    );
  }

  it("that hung takes part again once it goes on", async () => {
    const under = await gates.open();
    redis.nodes[0].pause();
    await oneCall(under);
    redis.nodes[0].resume();
    redis.nodes[1].pause();
    await recovers(under);
  });
});

describe("two nodes of three", () => {
  it.each([
    ["are killed", () => Promise.all([redis.nodes[0].kill(), redis.nodes[1].kill()])],
    ["hang", async () => [redis.nodes[0].pause(), redis.nodes[1].pause()]],
  ])(
    "that %s make the gate step aside: the store of record answers, within a bound",
    async (_, harm) => {
      const under = await gates.open();
      const [done, running] = [newRequest(), newRequest()];
      await complete(under, done);
      const claim = claimOf(await under.gate.claim(running));
      await harm();

      // A node that is left may have a copy; a lock that no majority holds decides nothing.
      const first = await duplicate(under, running);
      expect(first).toMatchObject({ kind: "in_progress", reachedStore: true });
      expect(first.tookMs).toBeLessThan(BOUND_MS);
      expect(under.events).toContain("stepped_aside");

      // Aside, nobody waits for Redis any more.
      const aside = await Promise.all(Array.from({ length: 10 }, () => duplicate(under, running)));
      expect(Math.min(...aside.map(({ tookMs }) => tookMs))).toBeLessThan(ONE_TIMEOUT_MS / 2);
      expect(await duplicate(under, done)).toMatchObject({ kind: "replay" });
      const other = await duplicate(under, { ...running, fingerprint: newFingerprint() });
      expect(other).toMatchObject({ kind: "mismatch", reachedStore: true });
      for (const end of [
        () => under.gate.extend(claim, running.leaseMs),
        () => under.gate.complete(claim, answer, RETENTION_MS),
      ]) {
        const { result, tookMs } = await timed(end);
        expect(result).toBe(true);
        expect(tookMs).toBeLessThan(BOUND_MS);
      }
      expect(await duplicate(under, running)).toMatchObject({ kind: "replay" });
      const calls = await severalCalls(under);
      expect(Math.max(...calls.flatMap(({ steps }) => steps))).toBeLessThan(BOUND_MS);
    },
  );

  it("that hung are used again after they go on", async () => {
    const under = await gates.open();
    redis.nodes[0].pause();
    redis.nodes[1].pause();
    await oneCall(under);
    redis.nodes[0].resume();
    redis.nodes[1].resume();
    await recovers(under);
  });

  it("that hang cost each call no more than one timeout", async () => {
    const under = await gates.open();
    redis.nodes[0].pause();
    redis.nodes[2].pause();
    const tries = [];
    for (let round = 0; round < 3; round += 1) {
      tries.push((await timed(() => under.gate.claim(newRequest()))).tookMs);
      await sleep(STEP_ASIDE_MS + 50);
    }
    expect(Math.min(...tries)).toBeLessThan(ONE_TIMEOUT_MS * 1.5);
  });
});

describe("all three nodes", () => {
  it("lost and started again empty: no answer changes, and the gate works again", async () => {
    const under = await gates.open();
    const [done, running] = [newRequest(), newRequest()];
    await complete(under, done);
    const claim = claimOf(await under.gate.claim(running));
    await Promise.all(redis.nodes.map((node) => node.kill()));
    expect(await duplicate(under, done)).toMatchObject({ kind: "replay", reachedStore: true });
    expect(await duplicate(under, running)).toMatchObject({
      kind: "in_progress",
      reachedStore: true,
    });
    await Promise.all(redis.nodes.map((node) => node.restart()));
    await recovers(under);
    expect(await duplicate(under, done)).toMatchObject({ kind: "replay", reachedStore: true });
    expect(await duplicate(under, running)).toMatchObject({ kind: "in_progress" });
    expect(await under.gate.complete(claim, answer, RETENTION_MS)).toBe(true);
  });

  it("hanging while calls are under way keep none of them, and leave one owner", async () => {
    const first = await gates.open();
    const second = await first.beside();
    const requests = Array.from({ length: 20 }, () => newRequest());
    const under = requests.flatMap((request) =>
      [first, second, first, second].map(({ gate }) => gate.claim(again(request))),
    );
    for (const node of redis.nodes) {
      node.pause();
    }
    const { result, tookMs } = await timed(() => Promise.all(under));
    expect(tookMs).toBeLessThan(2 * BOUND_MS);
    const owners = result.filter(({ kind }) => kind === "claimed");
    expect(owners.length).toBeLessThanOrEqual(requests.length);
    const keys = owners.map((owner) => claimOf(owner).scope.key);
    expect(new Set(keys).size).toBe(keys.length);
  });
});

describe("a process behind the gate", () => {
  const states: [string, () => void | Promise<void>][] = [
    ["all nodes work", () => {}],
    ["one hangs", () => redis.nodes[1].pause()],
    [
      "one is dead and one hangs",
      async () => {
        await redis.nodes[0].kill();
        redis.nodes[1].pause();
      },
    ],
  ];
  it.each(states)("ends by itself, without a complaint, when %s", async (_, harm) => {
    await harm();
    const program = await compiledEntry(PROGRAM);
    const urls = redis.nodes.map(({ url }) => url);
    const { stdout, stderr } = await run(process.execPath, [program, ...urls], {
      timeout: PROGRAM_LIMIT_MS,
    });
    expect(stderr).toBe("");
    expect(stdout).toBe("0 0 0 14 14 14 3 3 3\n");
  });
});
