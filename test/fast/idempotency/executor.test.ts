import { describe, expect, it } from "vitest";
import { Code } from "../../../src/idempotency/answers/code.js";
import { CallError, Final, NotExecuted, Parked } from "../../../src/idempotency/answers/errors.js";
import { REPLAYED_ENTRY } from "../../../src/idempotency/answers/reply.js";
import type { Run } from "../../../src/idempotency/execution/attempt.js";
import { createExecutor } from "../../../src/idempotency/execution/executor.js";
import type { Outcome } from "../../../src/idempotency/port/outcome.js";
import type { MethodPolicy } from "../../../src/idempotency/request/policy.js";
import { createMemoryStore } from "../../../src/stores/memory/index.js";
import {
  callError,
  callOf,
  describeError,
  ERROR_CODES,
  holdPolicy,
  LEASE_MS,
  ok,
  RETENTION_MS,
  rerunPolicy,
} from "../../support/idempotency/calls.js";
import { createManualClock } from "../../support/idempotency/manual-clock.js";
import { errorOf, reasonOf } from "../../support/idempotency/replies.js";

const RERUN_DELAY_MS = 100;
const MAX_HELD_DELAY_MS = 3_600_000;

/** What a caller finds when it sends the same call once more. */
type Finds = "the same answer" | "a free key" | "an unknown outcome";

function setup() {
  const clock = createManualClock();
  const store = createMemoryStore({ clock });
  const executor = createExecutor({ store, clock });
  return { clock, store, executor };
}

/** Ends a call as `last` does, after `unknownBefore` attempts of unknown outcome; then sends it again. */
async function afterEnding(last: Run<never>, unknownBefore: 0 | 1) {
  const { clock, executor } = setup();
  const runs = [...Array<Run<never>>(unknownBefore).fill(throwing(new Error("lost"))), last];
  const call = callOf({
    run: (execution) => (runs.shift() ?? (async () => ok("ran again")))(execution),
    policy: rerunPolicy,
  });
  let reply = await executor.execute(call);
  for (let left = unknownBefore; left > 0; left -= 1) {
    await clock.advance(RERUN_DELAY_MS + 1);
    reply = await executor.execute(call);
  }
  const again = await executor.execute(call);
  return { reply, again, finds: findsOf(again) };
}

function findsOf(again: Outcome & { replayed: boolean }): Finds {
  if (again.replayed) {
    return "the same answer";
  }
  return again.code === Code.OK ? "a free key" : "an unknown outcome";
}

function throwing(error: unknown): Run<never> {
  return async () => {
    throw error;
  };
}

describe("which outcomes are kept", () => {
  const final = [
    Code.NOT_FOUND,
    Code.ALREADY_EXISTS,
    Code.FAILED_PRECONDITION,
    Code.OUT_OF_RANGE,
  ] as readonly Code[];
  const notExecuted = [
    Code.INVALID_ARGUMENT,
    Code.UNAUTHENTICATED,
    Code.PERMISSION_DENIED,
    Code.UNIMPLEMENTED,
  ] as readonly Code[];

  it("keeps an OK of a first attempt and of a takeover", async () => {
    for (const unknownBefore of [0, 1] as const) {
      const { reply, finds } = await afterEnding(async () => ok(), unknownBefore);
      expect(reply).toMatchObject({ code: Code.OK, replayed: false });
      expect(finds).toBe("the same answer");
    }
  });

  describe.each(ERROR_CODES)("code %i", (code) => {
    const ways: [string, Run<never>][] = [
      ["thrown", throwing(callError(code))],
      ["returned by a framework", async () => ({ ...ok(), code, body: new Uint8Array() })],
    ];

    it.each(ways)("%s on a first attempt is what the contract's table says", async (_, run) => {
      const expected: Finds = final.includes(code)
        ? "the same answer"
        : notExecuted.includes(code)
          ? "a free key"
          : "an unknown outcome";
      const { reply, finds } = await afterEnding(run, 0);
      expect(finds).toBe(expected);
      if (expected === "an unknown outcome") {
        expect(reply.code).toBe(Code.UNAVAILABLE);
        expect(reasonOf(reply)).toBe("OUTCOME_UNKNOWN");
      } else {
        expect(reply.code).toBe(code);
      }
    });

    it.each(ways)("%s after a takeover says nothing: the outcome stays unknown", async (_, run) => {
      const { reply, finds } = await afterEnding(run, 1);
      expect(reasonOf(reply)).toBe("OUTCOME_UNKNOWN");
      expect(finds).toBe("an unknown outcome");
    });

    it.each([0, 1] as const)("declared final ends the key after %i unknown attempts", async (n) => {
      const { reply, again, finds } = await afterEnding(
        throwing(new Final(describeError(code))),
        n,
      );
      expect(reply.code).toBe(code);
      expect(finds).toBe("the same answer");
      expect(again.code).toBe(code);
    });

    it.each([0, 1] as const)(
      "declared not executed frees it after %i unknown attempts",
      async (n) => {
        const { reply, finds } = await afterEnding(
          throwing(new NotExecuted(describeError(code))),
          n,
        );
        expect(reply.code).toBe(code);
        expect(finds).toBe("a free key");
      },
    );
  });

  it("counts attempts from one again once a key was freed", async () => {
    const { executor } = setup();
    const attempts: number[] = [];
    const call = callOf({
      run: async ({ attempt }) => {
        attempts.push(attempt);
        throw callError(Code.INVALID_ARGUMENT);
      },
    });
    await executor.execute(call);
    await executor.execute(call);
    expect(attempts).toEqual([1, 1]);
  });

  const held = (delayMs: number) => ({
    reason: "OUTCOME_UNKNOWN",
    next: "look_up",
    retryDelayMs: delayMs,
    pushbacks: [String(delayMs)],
  });

  it("holds a key of unknown outcome whose handler may not be repeated, however long", async () => {
    const { clock, executor } = setup();
    const call = callOf({ run: throwing(new Error("no reply")), policy: holdPolicy });
    expect(errorOf(await executor.execute(call))).toEqual(held(LEASE_MS));
    for (const [afterMs, delayMs] of [
      [LEASE_MS, LEASE_MS],
      [3 * LEASE_MS, 4 * LEASE_MS],
      [1_000 * LEASE_MS, MAX_HELD_DELAY_MS],
    ] as const) {
      await clock.advance(afterMs);
      const reply = await executor.execute(call);
      expect(errorOf(reply)).toEqual(held(delayMs));
      expect(reply.message).toContain("an operator has to find out");
    }
  });

  it("holds a key whose owner is gone, as long as that is so", async () => {
    const { clock, store, executor } = setup();
    const { scope, fingerprint, request } = callOf({ run: async () => ok(), policy: holdPolicy });
    const owner = { scope, fingerprint, request, claimId: "of an owner that dies" };
    await store.claim({ ...owner, onLostOwner: "hold", leaseMs: LEASE_MS });
    await clock.advance(5 * LEASE_MS);
    const call = callOf({ run: async () => ok(), policy: holdPolicy, key: scope.key });
    expect(errorOf(await executor.execute(call))).toEqual(held(4 * LEASE_MS));
  });

  it("holds a parked key even where the policy would run it again", async () => {
    const { clock, store, executor } = setup();
    const call = callOf({ run: throwing(new Parked("window passed")), policy: rerunPolicy });
    const first = await executor.execute(call);
    expect(errorOf(first)).toEqual(held(LEASE_MS));
    expect(first.message).toContain("an operator has to find out");
    await clock.advance(100 * LEASE_MS);
    expect(errorOf(await executor.execute(call))).toEqual(held(100 * LEASE_MS));
    expect((await store.get(call.scope))?.record).toMatchObject({
      state: "held",
      unknownReason: "window passed",
      attempts: 1,
    });
  });

  it("waits twice as long before each further attempt, at most the lease", async () => {
    const { clock, executor } = setup();
    const call = callOf({ run: throwing(new Error("lost")), policy: rerunPolicy });
    const delays: (number | undefined)[] = [];
    for (let attempt = 1; attempt <= 10; attempt += 1) {
      const { retryDelayMs } = errorOf(await executor.execute(call));
      delays.push(retryDelayMs);
      await clock.advance((retryDelayMs ?? 0) + 1);
    }
    expect(delays.slice(0, 4)).toEqual([100, 200, 400, 800]);
    expect(Math.max(...delays.map(Number))).toBe(LEASE_MS);
  });
});

describe("a replay", () => {
  const headers = [
    ["x-served-by", "one"],
    ["x-proof-bin", new Uint8Array([0, 128, 255])],
  ] as const;
  const trailers = [["x-checksum", "abc"]] as const;

  it("of an OK has the same message, headers and trailers, and says that it is one", async () => {
    const { executor } = setup();
    const call = callOf({ run: async () => ({ ...ok(), headers, trailers }) });
    const first = await executor.execute(call);
    const again = await executor.execute(call);
    expect(first).toEqual({ ...ok(), headers, trailers, replayed: false });
    expect(again).toEqual({ ...first, headers: [...headers, REPLAYED_ENTRY], replayed: true });
  });

  it("of a final error has the same status and trailers, and stops native retries like the first", async () => {
    const { executor } = setup();
    const call = callOf({ run: throwing(callError(Code.FAILED_PRECONDITION)) });
    const first = await executor.execute(call);
    const again = await executor.execute(call);
    expect(errorOf(first)).toMatchObject({ reason: "TEST_REASON", pushbacks: ["-1"] });
    expect(again).toEqual({
      ...first,
      trailers: [...first.trailers, REPLAYED_ENTRY],
      replayed: true,
    });
  });

  it("of a final error stops native retries even where the handler names a delay", async () => {
    const { executor } = setup();
    const error = { ...describeError(Code.UNAVAILABLE), retryDelayMs: 500 };
    const call = callOf({ run: throwing(new Final(error)) });
    expect(errorOf(await executor.execute(call)).pushbacks).toEqual(["-1"]);
    expect(errorOf(await executor.execute(call)).pushbacks).toEqual(["-1"]);
  });

  it("is given to another request of the same key as little as to another tenant", async () => {
    const { executor } = setup();
    const call = callOf({ run: async () => ok("mine") });
    await executor.execute(call);
    const other = callOf({ run: async () => ok("other"), key: call.scope.key, request: "changed" });
    const refused = await executor.execute(other);
    expect(refused.code).toBe(Code.FAILED_PRECONDITION);
    expect(errorOf(refused)).toMatchObject({
      reason: "IDEMPOTENCY_KEY_REUSED",
      next: "fix_request",
      pushbacks: ["-1"],
    });
    const stranger = { ...call, scope: { ...call.scope, tenant: "stranger" } };
    expect(await executor.execute(stranger)).toMatchObject({ replayed: false });
  });

  it("is refused for good once the answer has passed its retention", async () => {
    const { clock, store, executor } = setup();
    const call = callOf({ run: async () => ok() });
    await executor.execute(call);
    await clock.advance(RETENTION_MS + 1);
    for (const reaped of [0, 1]) {
      expect(await store.reap(reaped)).toBe(reaped);
      const refused = await executor.execute(call);
      expect(refused.code).toBe(Code.FAILED_PRECONDITION);
      expect(errorOf(refused)).toMatchObject({
        reason: "IDEMPOTENCY_KEY_EXPIRED",
        next: "look_up",
        pushbacks: ["-1"],
      });
    }
  });
});

describe("a refusal that a retry can help", () => {
  const policies: [string, MethodPolicy, string, number][] = [
    ["held", holdPolicy, "look_up", LEASE_MS],
    ["to be run again", rerunPolicy, "retry_same_key", RERUN_DELAY_MS],
  ];
  it.each(policies)(
    "names the delay in RetryInfo and in pushback: unknown and %s",
    async (_, policy, next, delayMs) => {
      const { executor } = setup();
      const reply = await executor.execute(callOf({ run: throwing(new Error("lost")), policy }));
      expect(reply.headers).toEqual([]);
      expect(errorOf(reply)).toEqual({
        reason: "OUTCOME_UNKNOWN",
        next,
        retryDelayMs: delayMs,
        pushbacks: [String(delayMs)],
      });
    },
  );

  it("never carries what the failed handler said to its caller", async () => {
    const { executor } = setup();
    const secret = "password=hunter2";
    const reply = await executor.execute(callOf({ run: throwing(new Error(secret)) }));
    expect(Buffer.from(JSON.stringify(reply.trailers)).includes(secret)).toBe(false);
    expect(reply.message).not.toContain(secret);
  });

  it("keeps the handler's own delay where nothing was executed", async () => {
    const { executor } = setup();
    const busy = new NotExecuted({ ...describeError(Code.ABORTED), retryDelayMs: 70 });
    const reply = await executor.execute(callOf({ run: throwing(busy) }));
    expect(errorOf(reply)).toMatchObject({ retryDelayMs: 70, pushbacks: ["70"] });
    expect(busy).toBeInstanceOf(CallError);
  });
});
