import { describe, expect, it } from "vitest";
import { createExecutor } from "../../../src/idempotency/execution/executor.js";
import { type ReaperEvent, startReaper } from "../../../src/idempotency/recovery/reaper.js";
import { createMemoryStore } from "../../../src/stores/memory/index.js";
import { callOf, holdPolicy, ok, RETENTION_MS } from "../../support/idempotency/calls.js";
import { createManualClock, settled } from "../../support/idempotency/manual-clock.js";
import { reasonOf } from "../../support/idempotency/replies.js";

const INTERVAL_MS = 1_000;
const BATCH_SIZE = 4;

function setup() {
  const clock = createManualClock();
  const store = createMemoryStore({ clock });
  const executor = createExecutor({ store, clock });
  const events: ReaperEvent[] = [];
  const start = (reaped: Parameters<typeof startReaper>[0]["store"] = store) =>
    startReaper({
      store: reaped,
      intervalMs: INTERVAL_MS,
      batchSize: BATCH_SIZE,
      clock,
      onEvent: (event) => events.push(event),
    });
  const answer = async (count: number, retentionMs = RETENTION_MS) => {
    for (let call = 0; call < count; call += 1) {
      await executor.execute(
        callOf({ run: async () => ok(), policy: { ...holdPolicy, retentionMs } }),
      );
    }
  };
  return { clock, store, executor, events, start, answer };
}

const reaped = (count: number): ReaperEvent => ({ type: "reaped", count });

describe("the reaper", () => {
  it("shrinks the answers past their retention in batches, one after the other while they are full", async () => {
    const { clock, store, events, start, answer } = setup();
    await answer(2 * BATCH_SIZE + 1, 1);
    await answer(1);
    const reaper = start();
    await clock.advance(INTERVAL_MS - 1);
    expect(events).toEqual([]);
    await clock.advance(1);
    expect(events).toEqual([reaped(BATCH_SIZE), reaped(BATCH_SIZE), reaped(1)]);
    const { records } = await store.list({ tenant: "default", pageSize: 100 });
    const completed = records.filter(({ state }) => state === "completed");
    expect(completed).toHaveLength(1);
    const expired = records.filter(({ state }) => state === "expired");
    expect(expired).toHaveLength(2 * BATCH_SIZE + 1);
    for (const record of expired) {
      expect(record).not.toHaveProperty("outcome");
      expect(record).not.toHaveProperty("key");
    }
    await reaper.stop();
  });

  it("waits for the next interval when there is nothing more", async () => {
    const { clock, events, start, answer } = setup();
    const reaper = start();
    await answer(BATCH_SIZE, 1);
    await clock.advance(INTERVAL_MS);
    await answer(1, 1);
    await clock.advance(INTERVAL_MS - 1);
    expect(events).toEqual([reaped(BATCH_SIZE)]);
    await clock.advance(1);
    expect(events).toEqual([reaped(BATCH_SIZE), reaped(1)]);
    await reaper.stop();
  });

  it("ends a round that never would, and a round that is told to stop", async () => {
    const { clock, start } = setup();
    let batches = 0;
    let go = () => {};
    const endless = {
      async reap(limit: number) {
        batches += 1;
        if (batches === 103) {
          await new Promise<void>((resolve) => {
            go = resolve;
          });
        }
        return limit;
      },
    };
    const reaper = start(endless);
    await clock.advance(INTERVAL_MS);
    expect(batches).toBe(100);
    await clock.advance(INTERVAL_MS);
    expect(batches).toBe(103);
    const stopped = reaper.stop();
    go();
    await stopped;
    expect(batches).toBe(103);
    expect(clock.waitingTimers()).toBe(0);
  });

  it("tells of a store that fails, and tries again", async () => {
    const { clock, store, events, start, answer } = setup();
    const error = new Error("connection refused");
    let failures = 1;
    const reaper = start({
      async reap(limit) {
        failures -= 1;
        if (failures >= 0) {
          throw error;
        }
        return store.reap(limit);
      },
    });
    await answer(1, 1);
    await clock.advance(INTERVAL_MS);
    expect(events).toEqual([{ type: "store_failed", error }]);
    await clock.advance(INTERVAL_MS);
    expect(events).toEqual([{ type: "store_failed", error }, reaped(1)]);
    await reaper.stop();
    await clock.advance(10 * INTERVAL_MS);
    expect(events).toHaveLength(2);
  });
});

it("a repeated call gets the answer until the retention ends, then a refusal, never an execution", async () => {
  const { clock, executor, start } = setup();
  let executions = 0;
  const call = callOf({
    run: async () => {
      executions += 1;
      return ok();
    },
    policy: { ...holdPolicy, retentionMs: 3.5 * INTERVAL_MS },
  });
  const first = await executor.execute(call);
  const reaper = start();
  const answers: (string | undefined)[] = [];
  for (let round = 0; round < 8; round += 1) {
    await clock.advance(INTERVAL_MS);
    const reply = await executor.execute(call);
    answers.push(reply.replayed ? "replay" : reasonOf(reply));
    if (reply.replayed) {
      expect(reply.body).toEqual(first.body);
    }
    await settled();
  }
  expect(answers).toEqual([
    ...Array.from({ length: 3 }, () => "replay"),
    ...Array.from({ length: 5 }, () => "IDEMPOTENCY_KEY_EXPIRED"),
  ]);
  expect(executions).toBe(1);
  await reaper.stop();
});
