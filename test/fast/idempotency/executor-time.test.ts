import { describe, expect, it } from "vitest";
import { Code } from "../../../src/idempotency/answers/code.js";
import type { Reply } from "../../../src/idempotency/answers/reply.js";
import type { Run } from "../../../src/idempotency/execution/attempt.js";
import { createExecutor } from "../../../src/idempotency/execution/executor.js";
import type { Outcome } from "../../../src/idempotency/port/outcome.js";
import { createMemoryStore } from "../../../src/stores/memory/index.js";
import {
  callOf,
  gate,
  holdPolicy,
  LEASE_MS,
  ok,
  rerunPolicy,
} from "../../support/idempotency/calls.js";
import { createManualClock, settled } from "../../support/idempotency/manual-clock.js";
import { errorOf, reasonOf } from "../../support/idempotency/replies.js";
import { probe } from "../../support/idempotency/store-probe.js";

const MAX_EXECUTION_MS = 60_000;

function setup() {
  const clock = createManualClock();
  const tap = probe(createMemoryStore({ clock }));
  const newExecutor = () => createExecutor({ store: tap.store, clock });
  return { clock, tap, executor: newExecutor(), another: newExecutor() };
}

/** A handler that waits for the test, and keeps the signal it was given. */
function waitingRun() {
  const { opened, open } = gate<Outcome>();
  const signals: AbortSignal[] = [];
  const run: Run<never> = (execution) => {
    signals.push(execution.signal);
    return opened;
  };
  return { run, signals, finish: open };
}

async function stateOf(reply: Promise<Reply>): Promise<"waiting" | "answered"> {
  await settled();
  return Promise.race([
    reply.then(() => "answered" as const),
    settled().then(() => "waiting" as const),
  ]);
}

describe("a duplicate of a call in flight", () => {
  it("is refused at once, with what usually remains of such a call", async () => {
    const { clock, executor } = setup();
    const earlier = waitingRun();
    const first = executor.execute(callOf({ run: earlier.run }));
    await clock.advance(2_000);
    earlier.finish(ok());
    await first;

    const { run, finish } = waitingRun();
    const call = callOf({ run });
    const owner = executor.execute(call);
    const delays: (number | undefined)[] = [];
    for (const waitMs of [500, 1_490, 510, 2_500]) {
      await clock.advance(waitMs);
      const refused = await executor.execute(call);
      expect(refused.code).toBe(Code.ABORTED);
      expect(reasonOf(refused)).toBe("REQUEST_IN_PROGRESS");
      delays.push(errorOf(refused).retryDelayMs);
    }
    // Usually 2 s: what remains; at least 50 ms; past the usual, as long again as has elapsed.
    expect(delays).toEqual([1_500, 50, 2_500, 5_000]);
    finish(ok());
    await owner;
  });

  it("is never told to wait beyond the lease", async () => {
    const { clock, executor, tap } = setup();
    const { run, finish } = waitingRun();
    const call = callOf({ run });
    const owner = executor.execute(call);
    await clock.advance(MAX_EXECUTION_MS / 2);
    expect(tap.calls("extend")).toBeGreaterThan(0);
    expect(errorOf(await executor.execute(call)).retryDelayMs).toBeLessThanOrEqual(LEASE_MS);
    finish(ok());
    await owner;
  });
});

describe("a method whose duplicates wait", () => {
  const waitPolicy = { ...rerunPolicy, inFlightWaitMs: 10_000 };

  it("gives them the answer of the first call", async () => {
    const { clock, executor } = setup();
    const { run, finish } = waitingRun();
    const call = callOf({ run, policy: waitPolicy });
    const owner = executor.execute(call);
    const duplicates = [1, 2, 3].map(() => executor.execute(call));
    await clock.advance(3_000);
    finish(ok("one answer"));
    await clock.advance(4_000);
    expect(await owner).toMatchObject({ replayed: false });
    for (const reply of await Promise.all(duplicates)) {
      expect(reply).toMatchObject({ code: Code.OK, body: ok("one answer").body, replayed: true });
    }
  });

  it("lets them wait up to the policy's bound, then refuses them", async () => {
    const { clock, executor } = setup();
    const { run, finish } = waitingRun();
    const call = callOf({ run, policy: waitPolicy });
    const owner = executor.execute(call);
    const duplicate = executor.execute(call);
    await clock.advance(9_999);
    expect(await stateOf(duplicate)).toBe("waiting");
    await clock.advance(1);
    expect(reasonOf(await duplicate)).toBe("REQUEST_IN_PROGRESS");
    finish(ok());
    await owner;
  });

  it("lets one whose caller has left go at once, without claiming anything for it", async () => {
    const { clock, tap, executor } = setup();
    const { run, finish } = waitingRun();
    const owner = callOf({ run, policy: waitPolicy });
    const first = executor.execute(owner);
    const leaving = new AbortController();
    const duplicate = executor.execute({ ...owner, signal: leaving.signal });
    await clock.advance(60);
    const claims = tap.calls("claim");
    leaving.abort();
    expect(reasonOf(await duplicate)).toBe("REQUEST_IN_PROGRESS");
    expect(tap.calls("claim")).toBe(claims);
    finish(ok());
    await first;
    expect(clock.waitingTimers()).toBe(0);
  });

  it("lets one of them take over when the owner is gone", async () => {
    const { clock, executor, tap } = setup();
    const call = callOf({
      run: async ({ attempt }) => ok(`attempt ${attempt}`),
      policy: waitPolicy,
    });
    const dead = { ...call, claimId: "dead", onLostOwner: "rerun", leaseMs: 5_000 } as const;
    await tap.store.claim(dead);
    const duplicates = [1, 2].map(() => executor.execute(call));
    await clock.advance(10_000);
    const replies = await Promise.all(duplicates);
    expect(replies.map(({ replayed }) => replayed).sort()).toEqual([false, true]);
    expect(replies.map(({ body }) => Buffer.from(body).toString())).toEqual([
      "attempt 2",
      "attempt 2",
    ]);
  });
});

describe("a caller that leaves", () => {
  it("changes nothing for its own call: the work finishes and its answer is kept", async () => {
    const { executor } = setup();
    const leaving = new AbortController();
    const { run, signals, finish } = waitingRun();
    const call = callOf({ run, signal: leaving.signal });
    const reply = executor.execute(call);
    await settled();
    leaving.abort();
    expect(signals[0]?.aborted).toBe(false);
    finish(ok());
    expect(await reply).toMatchObject({ code: Code.OK });
    expect(await executor.execute(call)).toMatchObject({ code: Code.OK, replayed: true });
  });
});

describe("an owner that works longer than its lease", () => {
  it("keeps the claim by its heartbeat and answers", async () => {
    const { clock, executor, another } = setup();
    const { run, signals, finish } = waitingRun();
    const call = callOf({ run, policy: rerunPolicy });
    const reply = executor.execute(call);
    await clock.advance(3 * LEASE_MS);
    expect(reasonOf(await another.execute(call))).toBe("REQUEST_IN_PROGRESS");
    finish(ok());
    expect(await reply).toMatchObject({ code: Code.OK, replayed: false });
    expect(signals).toHaveLength(1);
    expect(clock.waitingTimers()).toBe(0);
  });

  it("is given up after the longest execution: its signal aborts and the outcome is unknown", async () => {
    const { clock, executor } = setup();
    const { run, signals, finish } = waitingRun();
    const call = callOf({ run, policy: holdPolicy });
    const reply = executor.execute(call);
    await clock.advance(MAX_EXECUTION_MS - 1);
    expect(signals[0]?.aborted).toBe(false);
    await clock.advance(1);
    expect(signals[0]?.aborted).toBe(true);
    expect(reasonOf(await reply)).toBe("OUTCOME_UNKNOWN");
    expect(clock.waitingTimers()).toBe(0);

    finish(ok("too late"));
    await settled();
    expect(reasonOf(await executor.execute(call))).toBe("OUTCOME_UNKNOWN");
  });

  it("is told so once another has taken over, and stores nothing any more", async () => {
    const { clock, tap, executor, another } = setup();
    const slept = waitingRun();
    const call = callOf({ run: slept.run, policy: rerunPolicy });
    const late = executor.execute(call);
    // Its heartbeats are lost on the way, as if the process slept.
    tap.lose("extend", "request", Number.POSITIVE_INFINITY);
    await clock.advance(LEASE_MS + 1);
    const winner = waitingRun();
    const taken = another.execute({ ...call, run: winner.run });
    await settled();
    tap.lose("extend", "request", 0);
    await clock.advance(LEASE_MS / 5);

    const lost = await late;
    expect(lost.code).toBe(Code.ABORTED);
    expect(errorOf(lost)).toMatchObject({ reason: "CLAIM_LOST", next: "retry_same_key" });
    expect(slept.signals[0]?.aborted).toBe(true);
    expect(winner.signals[0]?.aborted).toBe(false);

    slept.finish(ok("late"));
    winner.finish(ok("winner"));
    expect(await taken).toMatchObject({ body: ok("winner").body });
    expect(await executor.execute(call)).toMatchObject({ body: ok("winner").body, replayed: true });
  });

  it.each([
    ["an answer", ok("late")],
    ["a not executed", { ...ok(), code: Code.INVALID_ARGUMENT }],
    ["an unknown outcome", { ...ok(), code: Code.INTERNAL }],
  ])("loses its claim when it ends late, with %s", async (_, ending) => {
    const { clock, tap, executor, another } = setup();
    const { run, finish } = waitingRun();
    const call = callOf({ run, policy: rerunPolicy });
    const late = executor.execute(call);
    tap.lose("extend", "request", Number.POSITIVE_INFINITY);
    await clock.advance(LEASE_MS + 1);
    const winner = waitingRun();
    const taken = another.execute({ ...call, run: winner.run });
    await settled();
    finish(ending);
    expect(reasonOf(await late)).toBe("CLAIM_LOST");
    winner.finish(ok("winner"));
    expect(await taken).toMatchObject({ body: ok("winner").body, replayed: false });
  });

  it("cannot prolong, by a heartbeat on its way, a claim that it has handed on", async () => {
    const { clock, tap, executor } = setup();
    const { opened, open } = gate<Outcome>();
    const call = callOf({ run: () => opened, policy: rerunPolicy });
    const reply = executor.execute(call);
    const heartbeat = tap.stall("extend");
    await clock.advance(LEASE_MS / 5);
    open({ ...ok(), code: Code.INTERNAL });
    await settled();
    heartbeat.open();
    expect(errorOf(await reply)).toMatchObject({ reason: "OUTCOME_UNKNOWN", retryDelayMs: 100 });
    await clock.advance(101);
    const again = await executor.execute({ ...call, run: async () => ok("found out") });
    expect(again).toMatchObject({ body: ok("found out").body });
  });
});
