import { describe, expect, it } from "vitest";
import { createExecutingLocks, type KeptLock } from "../../../src/stores/redis/executing-locks.js";
import { createManualClock } from "../../support/idempotency/manual-clock.js";

/** Enough that nothing before them counts any more. */
const MANY = 200;

function setup() {
  const clock = createManualClock();
  /** Which locks were marked, and when. */
  const marked: [name: string, atMs: number][] = [];
  const executingLocks = createExecutingLocks({
    clock,
    mark: ({ name }) => marked.push([name, clock.nowMs()]),
  });

  function lock(name: string): KeptLock {
    return { name, value: `token:${name}`, keptAtMs: Number.NaN };
  }

  /** A call that begins now. */
  function begin(name: string) {
    const kept = lock(name);
    executingLocks.add(kept);
    return kept;
  }

  /** Calls, one after the other, of which each takes so long. */
  async function usually(durationMs: number, calls = MANY) {
    for (let call = 0; call < calls; call += 1) {
      const kept = begin("usual");
      await clock.advance(durationMs);
      executingLocks.remove(kept);
    }
    marked.length = 0;
  }

  /** How long a call that does not end goes on until its lock is marked. */
  async function markedAfterMs(limitMs = 5_000): Promise<number | undefined> {
    const startedAtMs = clock.nowMs();
    const kept = begin("measured");
    for (let passedMs = 0; passedMs < limitMs && marked.length === 0; passedMs += 1) {
      expect(clock.waitingTimers()).toBe(1);
      await clock.advance(1);
    }
    const [found] = marked.splice(0);
    expect(found?.[0]).toBe("measured");
    expect(executingLocks.remove(kept)).toBe(false);
    return found && found[1] - startedAtMs;
  }

  return { clock, marked, executingLocks, lock, begin, usually, markedAfterMs };
}

describe("a lock under which a call executes", () => {
  it("is marked after 20 ms, once, as long as nothing is known of the calls", async () => {
    const { clock, marked, begin } = setup();
    begin("first");
    await clock.advance(19.9);
    expect(marked).toEqual([]);
    await clock.advance(0.1);
    expect(marked).toEqual([["first", 20]]);
    await clock.advance(10_000);
    expect(marked).toHaveLength(1);
  });

  it("is never marked where the call has ended before, and nobody was told", async () => {
    const { clock, marked, executingLocks, begin } = setup();
    const kept = begin("quick");
    await clock.advance(19);
    expect(executingLocks.remove(kept)).toBe(true);
    await clock.advance(10_000);
    expect(marked).toEqual([]);
  });

  it("counts as told of once it is marked", async () => {
    const { clock, executingLocks, begin } = setup();
    const kept = begin("slow");
    await clock.advance(20);
    expect(executingLocks.remove(kept)).toBe(false);
  });

  it("is marked at its own time, in the order in which the calls began", async () => {
    const { clock, marked, begin } = setup();
    for (const name of ["a", "b", "c"]) {
      begin(name);
      await clock.advance(7);
    }
    await clock.advance(100);
    expect(marked).toEqual([
      ["a", 20],
      ["b", 27],
      ["c", 34],
    ]);
  });

  it("counts from the newest call that keeps one of its name, and an older one ends without it", async () => {
    const { clock, marked, executingLocks, begin } = setup();
    const older = begin("same");
    await clock.advance(5);
    begin("other");
    await clock.advance(5);
    const newer = begin("same");
    expect(executingLocks.remove(older)).toBe(false);
    await clock.advance(100);
    expect(marked).toEqual([
      ["other", 25],
      ["same", 30],
    ]);
    expect(executingLocks.remove(newer)).toBe(false);
  });
});

describe("how long a call may execute before its lock is marked", () => {
  it("is twice as long as calls usually take", async () => {
    const { usually, markedAfterMs } = setup();
    await usually(100);
    const afterMs = await markedAfterMs();
    expect(afterMs).toBeGreaterThan(195);
    expect(afterMs).toBeLessThanOrEqual(200);
  });

  it.each([0, 1, 9])("is 20 ms where calls take %i ms, and no less", async (usualMs) => {
    const { usually, markedAfterMs } = setup();
    await usually(usualMs);
    expect(await markedAfterMs()).toBe(20);
  });

  it.each([501, 3_000, 60_000])(
    "is a second where calls take %i ms, and no more",
    async (usualMs) => {
      const { usually, markedAfterMs } = setup();
      await usually(usualMs);
      expect(await markedAfterMs()).toBe(1_000);
    },
  );

  it("is never more than a second, also for a call that begins while the timer of another runs", async () => {
    const { clock, marked, executingLocks, begin, usually } = setup();
    await usually(60_000);
    const early = begin("early");
    await clock.advance(999);
    begin("late");
    executingLocks.remove(early);
    await clock.advance(999);
    expect(marked).toEqual([]);
    await clock.advance(1);
    expect(marked.map(([name]) => name)).toEqual(["late"]);
  });

  it("follows the last calls, not a single one", async () => {
    const { usually, markedAfterMs } = setup();
    await usually(100);
    await usually(10_000, 1);
    expect(await markedAfterMs()).toBe(1_000);
    await usually(5, MANY);
    expect(await markedAfterMs()).toBe(20);
    await usually(100, 1);
    expect(await markedAfterMs()).toBeLessThan(40);
  });

  it("is not moved by a lock under which no call has executed", async () => {
    const { clock, executingLocks, lock, usually, markedAfterMs } = setup();
    await usually(100);
    for (let claim = 0; claim < MANY; claim += 1) {
      await clock.advance(1);
      expect(executingLocks.remove(lock("given back"))).toBe(false);
    }
    expect(await markedAfterMs()).toBeGreaterThan(195);
  });
});

describe("a lock whose call has duplicates", () => {
  it("is marked at once, once, and no other with it", async () => {
    const { clock, marked, executingLocks, begin } = setup();
    const [kept] = [begin("asked for"), begin("other")];
    await clock.advance(3);
    executingLocks.hurry("asked for");
    expect(marked).toEqual([["asked for", 3]]);
    expect(executingLocks.remove(kept)).toBe(false);
    executingLocks.hurry("asked for");
    await clock.advance(100);
    expect(marked).toEqual([
      ["asked for", 3],
      ["other", 20],
    ]);
  });

  it("is none of this process's once its call has ended, and nothing happens", async () => {
    const { clock, marked, executingLocks, begin } = setup();
    executingLocks.remove(begin("ended"));
    executingLocks.hurry("ended");
    executingLocks.hurry("never seen");
    await clock.advance(10_000);
    expect(marked).toEqual([]);
  });
});

describe("the timer", () => {
  it("is one for all locks, and none is left once there are no locks", async () => {
    const { clock, marked, executingLocks, begin } = setup();
    expect(clock.waitingTimers()).toBe(0);
    for (let call = 0; call < 500; call += 1) {
      const kept = begin(`call ${call}`);
      expect(clock.waitingTimers()).toBe(1);
      if (call % 3 === 0) {
        executingLocks.remove(kept);
      }
      if (call % 7 === 0) {
        executingLocks.hurry(`call ${call}`);
      }
      await clock.advance(call % 5);
      expect(clock.waitingTimers()).toBeLessThanOrEqual(1);
    }
    await clock.advance(1_000);
    expect(clock.waitingTimers()).toBe(0);
    expect(marked).toHaveLength(
      Array.from({ length: 500 }).filter((_, call) => call % 3 !== 0).length,
    );
  });

  it("starts anew for what comes after none was left", async () => {
    const { clock, marked, begin } = setup();
    for (const name of ["one", "two"]) {
      begin(name);
      await clock.advance(1_000);
      expect(clock.waitingTimers()).toBe(0);
    }
    expect(marked).toEqual([
      ["one", 20],
      ["two", 1_020],
    ]);
  });
});
