import { describe, expect, it } from "vitest";
import { Code } from "../../../src/idempotency/answers/code.js";
import {
  ClaimLost,
  NotExecuted,
  Parked,
  StoreOverloaded,
} from "../../../src/idempotency/answers/errors.js";
import type { Run } from "../../../src/idempotency/execution/attempt.js";
import type { ExecutorEvent } from "../../../src/idempotency/execution/events.js";
import { createExecutor } from "../../../src/idempotency/execution/executor.js";
import type { Outcome } from "../../../src/idempotency/port/outcome.js";
import type { IdempotencyStore } from "../../../src/idempotency/port/store.js";
import { createMemoryStore } from "../../../src/stores/memory/index.js";
import {
  callError,
  callOf,
  completeEach,
  describeError,
  gate,
  LEASE_MS,
  ok,
  rerunPolicy,
} from "../../support/idempotency/calls.js";
import { createManualClock, settled } from "../../support/idempotency/manual-clock.js";
import { errorOf, reasonOf } from "../../support/idempotency/replies.js";
import { type Loss, probe } from "../../support/idempotency/store-probe.js";

/** Longer than all retries of one call of the store together. */
const STORE_RETRIES_MS = 1_000;

function setup() {
  const clock = createManualClock();
  const tap = probe(createMemoryStore({ clock }));
  const events: ExecutorEvent[] = [];
  const executor = createExecutor({
    store: tap.store,
    clock,
    onEvent: (event) => events.push(event),
  });
  return { clock, tap, executor, events };
}

const runs = {
  answers: async () => ok(),
  refuses: async () => Promise.reject(callError(Code.INVALID_ARGUMENT)),
  fails: async () => Promise.reject(new Error("no reply")),
  parks: async () => Promise.reject(new Parked("window passed")),
} satisfies Record<string, Run<never>>;

describe("a store that loses", () => {
  const single: ["claim" | "complete" | "release" | "suspend", Loss, Run<never>, string][] = [
    ["claim", "request", runs.answers, "OK"],
    ["claim", "reply", runs.answers, "OK"],
    ["complete", "request", runs.answers, "OK"],
    ["complete", "reply", runs.answers, "OK"],
    ["release", "request", runs.refuses, "TEST_REASON"],
    ["suspend", "request", runs.fails, "OUTCOME_UNKNOWN"],
    ["suspend", "reply", runs.fails, "OUTCOME_UNKNOWN"],
    ["suspend", "request", runs.parks, "OUTCOME_UNKNOWN"],
  ];
  it.each(single)(
    "one %s, its %s, is asked again, and the caller notices nothing",
    async (method, loss, run, expected) => {
      const { clock, tap, executor } = setup();
      let executions = 0;
      tap.lose(method, loss, 1);
      const reply = executor.execute(
        callOf({
          policy: rerunPolicy,
          run: (execution) => {
            executions += 1;
            return run(execution);
          },
        }),
      );
      await clock.advance(STORE_RETRIES_MS);
      const { code, trailers } = await reply;
      expect(code === Code.OK ? "OK" : reasonOf({ trailers })).toBe(expected);
      expect(executions).toBe(1);
      expect(tap.calls(method)).toBe(2);
      expect(clock.waitingTimers()).toBe(0);
    },
  );

  it("the reply to a release lets the next call in, whatever this one is told", async () => {
    const { clock, tap, executor } = setup();
    tap.lose("release", "reply", 1);
    const call = callOf({ run: runs.refuses });
    const reply = executor.execute(call);
    await clock.advance(STORE_RETRIES_MS);
    expect(errorOf(await reply).pushbacks).not.toEqual(["-1"]);
    expect(await executor.execute({ ...call, run: runs.answers })).toMatchObject({ code: Code.OK });
  });

  it("a request for the claim, which may arrive yet, says nothing for good until it is known what became of it", async () => {
    const { clock, tap, executor } = setup();
    const refused = callOf({ run: runs.refuses });
    const answered = callOf({ run: runs.answers });
    await executor.execute(answered);
    const { key } = answered.scope;
    const reused = callOf({ run: runs.answers, key, request: "another" });
    for (const [call, reason] of [
      [refused, "TEST_REASON"],
      [reused, "IDEMPOTENCY_KEY_REUSED"],
    ] as const) {
      tap.lose("claim", "request", 1);
      const reply = executor.execute(call);
      await clock.advance(STORE_RETRIES_MS);
      expect(reasonOf(await reply)).toBe("STORE_UNAVAILABLE");
      expect(reasonOf(await executor.execute(call))).toBe(reason);
    }
  });

  const always: ["claim" | "complete" | "release" | "suspend", Run<never>][] = [
    ["claim", runs.answers],
    ["complete", runs.answers],
    ["release", runs.refuses],
    ["suspend", runs.fails],
    ["suspend", runs.parks],
  ];
  it.each(always)("every %s makes the caller retry with the same key", async (method, run) => {
    const { clock, tap, executor, events } = setup();
    tap.lose(method, "request", Number.POSITIVE_INFINITY);
    const reply = executor.execute(callOf({ run }));
    await clock.advance(STORE_RETRIES_MS);
    const refused = await reply;
    expect(refused.code).toBe(Code.UNAVAILABLE);
    expect(errorOf(refused)).toEqual({
      reason: "STORE_UNAVAILABLE",
      next: "retry_same_key",
      retryDelayMs: 1_000,
      pushbacks: ["1000"],
    });
    expect(tap.calls(method)).toBe(3);
    expect(events.map(({ type }) => type)).toContain("store_failed");
    expect(clock.waitingTimers()).toBe(0);
  });

  it("a completion for good never makes an answer out of it, and the lease lets another attempt in", async () => {
    const { clock, tap, executor } = setup();
    tap.lose("complete", "request", 3);
    const call = callOf({
      run: async ({ attempt }) => ok(`attempt ${attempt}`),
      policy: rerunPolicy,
    });
    const reply = executor.execute(call);
    await clock.advance(STORE_RETRIES_MS);
    expect(reasonOf(await reply)).toBe("STORE_UNAVAILABLE");
    expect(reasonOf(await executor.execute(call))).toBe("REQUEST_IN_PROGRESS");
    await clock.advance(LEASE_MS);
    expect(await executor.execute(call)).toMatchObject({ body: ok("attempt 2").body });
  });

  it("no completion, but lets it wait for longer than a lease: nobody takes over meanwhile", async () => {
    const { clock, tap } = setup();
    const { opened, open } = gate<void>();
    const executor = createExecutor({
      clock,
      store: {
        ...tap.store,
        async complete(...completion) {
          await opened;
          return tap.store.complete(...completion);
        },
      },
    });
    const call = callOf({ policy: rerunPolicy, run: runs.answers });
    const reply = executor.execute(call);
    await clock.advance(2 * LEASE_MS);
    expect(reasonOf(await executor.execute(call))).toBe("REQUEST_IN_PROGRESS");
    open();
    expect(await reply).toMatchObject({ code: Code.OK });
    expect(clock.waitingTimers()).toBe(0);
  });

  it("heartbeats leaves the handler alone, as long as nobody takes over", async () => {
    const { clock, tap, executor } = setup();
    const { opened, open } = gate<Outcome>();
    tap.lose("extend", "request", Number.POSITIVE_INFINITY);
    let signal: AbortSignal | undefined;
    const reply = executor.execute(
      callOf({
        run: (execution) => {
          signal = execution.signal;
          return opened;
        },
      }),
    );
    await clock.advance(2 * LEASE_MS);
    expect(signal?.aborted).toBe(false);
    open(ok());
    expect(await reply).toMatchObject({ code: Code.OK });
  });
});

describe("a handler that throws", () => {
  const oddities: [string, unknown][] = [
    ["a string", "boom"],
    ["a number", 0],
    ["nothing", undefined],
    ["null", null],
    ["a symbol", Symbol("boom")],
    ["an object without a prototype", Object.create(null)],
    [
      "an object that cannot be told",
      {
        toString: () => {
          throw new Error("again");
        },
      },
    ],
    ["an error without a message", Object.assign(new Error(), { message: { odd: true } })],
    [
      "a status that cannot be encoded",
      new NotExecuted({ ...describeError(Code.ABORTED), retryDelayMs: Number.NaN }),
    ],
  ];
  it.each(oddities)("%s ends in an unknown outcome", async (_, thrown) => {
    const { clock, executor, events } = setup();
    const reply = await executor.execute(callOf({ run: () => Promise.reject(thrown) }));
    expect(reasonOf(reply)).toBe("OUTCOME_UNKNOWN");
    const unknown = events.find(({ type }) => type === "outcome_unknown");
    expect(unknown).toMatchObject({ reason: expect.any(String) });
    expect(clock.waitingTimers()).toBe(0);
  });

  it("before it returns a promise ends like one that rejects", async () => {
    const { executor } = setup();
    const run: Run<never> = () => {
      throw callError(Code.NOT_FOUND);
    };
    expect(reasonOf(await executor.execute(callOf({ run })))).toBe("TEST_REASON");
  });

  it("a reason with characters that a database refuses, or without end, leaves a key that can be held", async () => {
    const { tap, executor } = setup();
    const call = callOf({
      run: () => Promise.reject(new Error(`a\u0000b${"x".repeat(1_000_000)}`)),
    });
    await executor.execute(call);
    const reason = (await tap.store.get(call.scope))?.record.unknownReason;
    expect(reason).toMatch(/^a.?bx+/);
    expect(reason).not.toContain("\u0000");
    expect(reason?.length).toBeLessThanOrEqual(1_000);
  });
});

describe("a handler that completes in a transaction of its own", () => {
  interface Transaction {
    readonly name: string;
  }

  /** The memory store, with transactions that commit at once. */
  function transactional() {
    const clock = createManualClock();
    const memory = createMemoryStore({ clock });
    const tap = probe<Transaction>({
      ...memory,
      completeWithin: (_transaction, completions) => completeEach(memory, completions),
      ownWithin: (_transaction, claims) =>
        Promise.all(
          claims.map(async ({ scope, fencingToken }) => {
            const found = await memory.get(scope);
            return (
              found?.record.fencingToken === fencingToken && found.record.state === "executing"
            );
          }),
        ),
    } satisfies IdempotencyStore<Transaction>);
    return { clock, tap, executor: createExecutor({ store: tap.store, clock }) };
  }
  const transaction: Transaction = { name: "of the money" };

  it("answers with what it stored, whatever it returns", async () => {
    const { tap, executor } = transactional();
    const call = callOf<Transaction>({
      async run(execution) {
        await execution.assertOwner(transaction);
        await execution.completeWithin(transaction, Buffer.from("stored"));
        return ok("ignored");
      },
    });
    expect(await executor.execute(call)).toEqual({ ...ok("stored"), replayed: false });
    expect(await executor.execute(call)).toMatchObject({ body: ok("stored").body, replayed: true });
    expect(tap.calls("committed")).toBe(1);
    expect(tap.calls("complete")).toBe(0);
  });

  it("is not told that its claim is lost by a heartbeat that finds the call completed", async () => {
    const { clock, tap, executor } = transactional();
    const { opened, open } = gate<void>();
    let signal: AbortSignal | undefined;
    const reply = executor.execute(
      callOf<Transaction>({
        async run(execution) {
          signal = execution.signal;
          await execution.completeWithin(transaction, Buffer.from("stored"));
          await opened; // the commit's reply is on its way
          return ok();
        },
      }),
    );
    await clock.advance(LEASE_MS / 5);
    expect(tap.calls("extend")).toBe(1);
    expect(signal?.aborted).toBe(false);
    open();
    expect(await reply).toMatchObject({ code: Code.OK, body: ok("stored").body });
  });

  it("is stopped by both if another owner has its claim, and nothing of it is stored", async () => {
    const { clock, tap, executor } = transactional();
    const { opened, open } = gate<void>();
    const stopped: unknown[] = [];
    tap.lose("extend", "request", Number.POSITIVE_INFINITY);
    const call = callOf<Transaction>({
      policy: rerunPolicy,
      async run(execution) {
        await opened;
        stopped.push(await execution.assertOwner(transaction).catch((error: unknown) => error));
        await execution.completeWithin(transaction, Buffer.from("late"));
        return ok();
      },
    });
    const late = executor.execute(call);
    await clock.advance(LEASE_MS + 1);
    const taken = await executor.execute({ ...call, run: async () => ok("winner") });
    open();
    expect(reasonOf(await late)).toBe("CLAIM_LOST");
    expect(stopped).toEqual([expect.any(ClaimLost)]);
    expect(taken.body).toEqual(ok("winner").body);
    expect(await executor.execute(call)).toMatchObject({ body: ok("winner").body, replayed: true });
  });
});

describe("a store with too much to do", () => {
  /** Refuses claims without asking, as long as it is told to. */
  function setupBusy() {
    const { clock, tap, events } = setup();
    let busy = true;
    const store: typeof tap.store = {
      ...tap.store,
      claim: (request) =>
        busy ? Promise.reject(new StoreOverloaded("too many claims")) : tap.store.claim(request),
    };
    const setBusy = (next: boolean) => {
      busy = next;
    };
    return { clock, tap, events, setBusy, executor: createExecutor({ store, clock }) };
  }

  it("is not asked again: nothing is claimed, and the same key works afterwards", async () => {
    const { clock, tap, executor, setBusy } = setupBusy();
    const call = callOf({ run: runs.answers });
    const refused = await executor.execute(call);
    expect(refused.code).toBe(Code.RESOURCE_EXHAUSTED);
    expect(errorOf(refused)).toMatchObject({
      reason: "OVERLOADED",
      next: "retry_same_key",
      retryDelayMs: 1_000,
      pushbacks: ["1000"],
    });
    expect(tap.calls("claim")).toBe(0);
    expect(clock.waitingTimers()).toBe(0);
    setBusy(false);
    expect(await executor.execute(call)).toMatchObject({ code: Code.OK, replayed: false });
  });

  it("after a claim that may arrive yet, vouches for nothing", async () => {
    const { clock, tap, executor, setBusy } = setupBusy();
    setBusy(false);
    tap.lose("claim", "request", 1);
    const reply = executor.execute(callOf({ run: runs.answers }));
    await settled();
    setBusy(true);
    await clock.advance(STORE_RETRIES_MS);
    expect(reasonOf(await reply)).toBe("STORE_UNAVAILABLE");
  });
});

describe("an executor with too many calls", () => {
  it("refuses more before it claims anything, and takes them again afterwards", async () => {
    const clock = createManualClock();
    const tap = probe(createMemoryStore({ clock }));
    const executor = createExecutor({ store: tap.store, clock, maxCalls: 2 });
    const { opened, open } = gate<Outcome>();
    const under = [1, 2].map(() => executor.execute(callOf({ run: () => opened })));
    await settled();
    const claims = tap.calls("claim");
    const refused = await executor.execute(callOf({ run: runs.answers }));
    expect(refused.code).toBe(Code.RESOURCE_EXHAUSTED);
    expect(errorOf(refused)).toMatchObject({
      reason: "OVERLOADED",
      next: "retry_same_key",
      pushbacks: ["1000"],
    });
    expect(tap.calls("claim")).toBe(claims);
    open(ok());
    await Promise.all(under);
    expect(await executor.execute(callOf({ run: runs.answers }))).toMatchObject({ code: Code.OK });
  });

  describe("that hold too many bytes", () => {
    const MAX_BYTES = 100;

    function setupFull() {
      const clock = createManualClock();
      const tap = probe(createMemoryStore({ clock }));
      const executor = createExecutor({ store: tap.store, clock, maxCallBytes: MAX_BYTES });
      const execute = (requestBytes: number, run: Run<never> = runs.answers) =>
        executor.execute(callOf({ run, request: "r".repeat(requestBytes) }));
      return { clock, tap, execute };
    }

    it("in their requests, refuses those that do not fit, and takes them again afterwards", async () => {
      const { tap, execute } = setupFull();
      const { opened, open } = gate<Outcome>();
      const under = execute(60, () => opened);
      await settled();
      const claims = tap.calls("claim");
      const refused = await execute(41);
      expect(refused.code).toBe(Code.RESOURCE_EXHAUSTED);
      expect(errorOf(refused)).toMatchObject({
        reason: "OVERLOADED",
        next: "retry_same_key",
        pushbacks: ["1000"],
      });
      expect(tap.calls("claim")).toBe(claims);
      expect(await execute(40)).toMatchObject({ code: Code.OK });
      open(ok());
      await under;
      expect(await execute(MAX_BYTES)).toMatchObject({ code: Code.OK });
    });

    it("takes a request of any size where there is no other", async () => {
      const { execute } = setupFull();
      expect(await execute(10 * MAX_BYTES)).toMatchObject({ code: Code.OK });
    });

    it("in answers that are not stored yet, refuses more until they are", async () => {
      const { clock, tap, execute } = setupFull();
      tap.lose("complete", "request", 1);
      const answered = execute(1, async () => ok("a".repeat(10 * MAX_BYTES)));
      await settled();
      expect(await execute(1)).toMatchObject({ code: Code.RESOURCE_EXHAUSTED });
      await clock.advance(STORE_RETRIES_MS);
      expect(await answered).toMatchObject({ code: Code.OK });
      expect(await execute(1)).toMatchObject({ code: Code.OK });
    });

    it("of calls that fail, has room for others afterwards", async () => {
      const { clock, tap, execute } = setupFull();
      tap.lose("complete", "request", Number.POSITIVE_INFINITY);
      const failing = execute(60, async () => ok("a".repeat(60)));
      await clock.advance(STORE_RETRIES_MS);
      expect(await failing).toMatchObject({ code: Code.UNAVAILABLE });
      expect(await execute(MAX_BYTES, runs.refuses)).toMatchObject({ code: Code.INVALID_ARGUMENT });
    });
  });

  it("has drained once none is under way, also none whose caller has left", async () => {
    const { executor } = setup();
    await executor.drained();
    const { opened, open } = gate<Outcome>();
    const left = new AbortController();
    const reply = executor.execute(callOf({ run: () => opened, signal: left.signal }));
    let drained = 0;
    const waiting = [1, 2].map(() =>
      executor.drained().then(() => {
        drained += 1;
      }),
    );
    left.abort();
    await settled();
    expect(drained).toBe(0);
    open(ok());
    await reply;
    await Promise.all(waiting);
    expect(drained).toBe(2);
  });
});
