import { describe, expect, it } from "vitest";
import { Code } from "../../../src/idempotency/answers/code.js";
import type { Execution } from "../../../src/idempotency/execution/call.js";
import { createExecutor } from "../../../src/idempotency/execution/executor.js";
import type { Outcome } from "../../../src/idempotency/port/outcome.js";
import { createMemoryStore } from "../../../src/stores/memory/index.js";
import { callOf, gate, holdPolicy, ok, rerunPolicy } from "../../support/idempotency/calls.js";
import { createManualClock, settled } from "../../support/idempotency/manual-clock.js";
import { errorOf, reasonOf } from "../../support/idempotency/replies.js";
import { probe } from "../../support/idempotency/store-probe.js";

function setup() {
  const clock = createManualClock();
  const tap = probe(createMemoryStore({ clock }));
  return { clock, tap, executor: createExecutor({ store: tap.store, clock }) };
}

/** A call that runs until the test ends it, with what its handler was given. */
function callUnderWay(policy = rerunPolicy) {
  const { opened, open } = gate<Outcome>();
  let execution: Execution | undefined;
  const request = callOf({
    policy,
    key: "under-way",
    run: (given) => {
      execution = given;
      return opened;
    },
  });
  return { request, open, execution: () => execution };
}

describe("an executor that is stopped", () => {
  it("refuses every new call as UNAVAILABLE before it claims anything, and lets those under way end", async () => {
    const { executor, tap } = setup();
    const { request, open } = callUnderWay();
    const underWay = executor.execute(request);
    await settled();
    executor.stop();
    expect(executor.underWay()).toBe(1);
    for (const call of [request, callOf({ run: async () => ok() })]) {
      const refused = await executor.execute(call);
      expect(refused.code).toBe(Code.UNAVAILABLE);
      expect(errorOf(refused)).toMatchObject({
        reason: "STORE_UNAVAILABLE",
        next: "retry_same_key",
        pushbacks: ["100"],
      });
    }
    expect(tap.calls("claim")).toBe(1);
    open(ok());
    expect(await underWay).toMatchObject({ code: Code.OK });
    await executor.drained();
    expect(executor.underWay()).toBe(0);
  });

  it("still runs what was taken over before", async () => {
    const { executor, tap } = setup();
    const { request } = callUnderWay();
    const claimed = await tap.store.claim({ ...request, ...request.policy, claimId: "1" });
    if (claimed.kind !== "claimed") {
      throw new Error(claimed.kind);
    }
    executor.stop();
    const run = async () => ok();
    const reply = await executor.resume({ claim: claimed.claim, policy: rerunPolicy, run });
    expect(reply.code).toBe(Code.OK);
  });

  it("lets no duplicate wait any longer, nor begin what the owner leaves", async () => {
    const { executor, clock, tap } = setup();
    const policy = { ...rerunPolicy, inFlightWaitMs: 60_000 };
    const { request, open } = callUnderWay(policy);
    const owner = executor.execute(request);
    await settled();
    const duplicate = executor.execute(request);
    await settled();
    expect(executor.underWay()).toBe(2);
    executor.stop();
    expect(reasonOf(await duplicate)).toBe("REQUEST_IN_PROGRESS");
    expect(tap.calls("claim")).toBe(2);
    open(ok());
    await owner;
    expect(clock.waitingTimers()).toBe(0);
  });
});

describe("attempts that are given up", () => {
  it.each([
    { policy: rerunPolicy, state: "executing", what: "are left to whoever takes over next" },
    { policy: holdPolicy, state: "held", what: "are held where nobody may try again" },
  ])("$what, and their callers are told that the outcome is unknown", async ({ policy, state }) => {
    const { executor, clock, tap } = setup();
    const { request, execution } = callUnderWay(policy);
    const reply = executor.execute(request);
    await settled();
    executor.stop();
    executor.giveUp();
    await executor.drained();
    expect(reasonOf(await reply)).toBe("OUTCOME_UNKNOWN");
    expect(execution()?.signal.aborted).toBe(true);
    expect(clock.waitingTimers()).toBe(0);
    const found = await tap.store.get(request.scope);
    expect(found?.record).toMatchObject({
      state,
      unknownReason: "the server stopped before the attempt had ended",
    });
    if (state === "executing") {
      await clock.advance(1_000); // far less than the lease
      const taking = { operations: [policy.operation], limit: 1, leaseMs: policy.leaseMs };
      expect(await tap.store.takeOverExpired(taking)).toHaveLength(1);
    }
  });

  it("do not begin any more, where a claim comes in late", async () => {
    const { executor, tap } = setup();
    const { request, execution } = callUnderWay();
    const claim = tap.stall("claim");
    const reply = executor.execute(request);
    executor.stop();
    executor.giveUp();
    claim.open();
    expect(reasonOf(await reply)).toBe("OUTCOME_UNKNOWN");
    expect(execution()).toBeUndefined();
  });

  it("change nothing of an answer that is stored already", async () => {
    const { executor, tap } = setup();
    const { request, open } = callUnderWay();
    const complete = tap.stall("complete");
    const reply = executor.execute(request);
    open(ok());
    await settled();
    executor.stop();
    executor.giveUp();
    complete.open();
    expect(await reply).toMatchObject({ code: Code.OK });
  });
});
