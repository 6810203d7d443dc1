import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Redis } from "ioredis";
import Redlock from "redlock";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { chargeUnderLock } from "../../../docs/guide/snippets/lock-only.js";
import { clockShimAvailable } from "../../support/clock-shim/clock-shim.js";
import {
  type ShiftedRedisNode,
  startShiftedRedisNode,
} from "../../support/faults/shifted-redis.js";
import { type RedisNodeUnderTest, startRedisNodeUnderTest } from "../../support/servers/redis.js";
import { compiledEntry } from "../../support/service/compile.js";
import { openChargeJournal } from "./charge-journal.js";

const OWNER = fileURLToPath(new URL("lock-owner.ts", import.meta.url));
const KEY = "order-4711";

/** Longer than a test takes: only a fault ends it early. */
const LONG_LOCK_MS = 60_000;

/** Long enough to be taken on a busy machine, short enough to sleep past. */
const SHORT_LOCK_MS = 1_000;

let directory: string;
let journal: ReturnType<typeof openChargeJournal>;
const stops: (() => unknown)[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "payonce-test-lock-"));
  await writeFile(join(directory, "journal"), "");
  journal = openChargeJournal(join(directory, "journal"));
});

afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()));
  await rm(directory, { recursive: true, force: true });
});

async function threeOf<Node extends { stop(): Promise<void>; readonly url: string }>(
  start: () => Promise<Node>,
): Promise<readonly Node[]> {
  const nodes = await Promise.all([start(), start(), start()]);
  stops.push(...nodes.map((node) => () => node.stop()));
  return nodes;
}

function urlsOf(nodes: readonly { readonly url: string }[]): readonly string[] {
  return nodes.map(({ url }) => url);
}

/** Starts the owner, and waits until it holds the lock and is about to charge. */
async function startOwner(urls: readonly string[], lockMs: number) {
  const program = await compiledEntry(OWNER);
  const args = [program, join(directory, "journal"), String(lockMs), KEY, ...urls];
  const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
  const exited = once(child, "exit");
  stops.push(() => child.kill("SIGKILL"));
  const [line] = await once(createInterface(child.stdout), "line");
  expect(line).toBe("about to charge");
  return {
    sleeps: () => child.kill("SIGSTOP"),
    wakesUp: () => child.kill("SIGCONT"),
    async goesOn() {
      child.stdin.write("\n");
      expect(await exited).toEqual([0, null]);
    },
  };
}

/** Another caller with the same key, in this process. */
async function chargeElsewhere(urls: readonly string[], lockMs: number): Promise<string> {
  const nodes = urls.map((url) => new Redis(url));
  stops.push(() => nodes.forEach((node) => void node.disconnect()));
  const redlock = new Redlock(nodes, { retryCount: 0 });
  return chargeUnderLock({ ...journal, redlock, lockMs }, KEY);
}

describe("a lock over three Redis nodes, and nothing else", () => {
  it("keeps a second caller out while nothing fails", async () => {
    const urls = urlsOf(await threeOf<RedisNodeUnderTest>(startRedisNodeUnderTest));
    const owner = await startOwner(urls, LONG_LOCK_MS);
    await expect(chargeElsewhere(urls, LONG_LOCK_MS)).rejects.toThrow("quorum");
    await owner.goesOn();
    expect(await chargeElsewhere(urls, LONG_LOCK_MS)).toBe("charged");
    expect(await journal.charges(KEY)).toBe(1);
  });

  it.skipIf(!clockShimAvailable)(
    "charges twice when the clocks of two nodes jump ahead",
    async () => {
      const nodes = await threeOf<ShiftedRedisNode>(startShiftedRedisNode);
      const owner = await startOwner(urlsOf(nodes), LONG_LOCK_MS);
      await Promise.all(nodes.slice(0, 2).map((node) => node.shift((2 * LONG_LOCK_MS) / 1_000)));
      expect(await chargeElsewhere(urlsOf(nodes), LONG_LOCK_MS)).toBe("charged");
      await owner.goesOn();
      expect(await journal.charges(KEY)).toBe(2);
    },
  );

  it("charges twice when two nodes restart without their data", async () => {
    const nodes = await threeOf<RedisNodeUnderTest>(startRedisNodeUnderTest);
    const owner = await startOwner(urlsOf(nodes), LONG_LOCK_MS);
    await Promise.all(nodes.slice(0, 2).map((node) => node.restart()));
    expect(await chargeElsewhere(urlsOf(nodes), LONG_LOCK_MS)).toBe("charged");
    await owner.goesOn();
    expect(await journal.charges(KEY)).toBe(2);
  });

  it("charges twice when its owner sleeps past the lease", async () => {
    const urls = urlsOf(await threeOf<RedisNodeUnderTest>(startRedisNodeUnderTest));
    const owner = await startOwner(urls, SHORT_LOCK_MS);
    owner.sleeps();
    await sleep(SHORT_LOCK_MS);
    expect(await chargeElsewhere(urls, SHORT_LOCK_MS)).toBe("charged");
    owner.wakesUp();
    await owner.goesOn();
    expect(await journal.charges(KEY)).toBe(2);
  });
});
