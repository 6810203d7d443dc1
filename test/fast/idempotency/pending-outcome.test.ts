import { create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  CreatePaymentRequestSchema,
  PaymentService,
} from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import { Code } from "../../../src/idempotency/answers/code.js";
import { Final } from "../../../src/idempotency/answers/errors.js";
import type { Run } from "../../../src/idempotency/execution/attempt.js";
import type { ExecutorEvent } from "../../../src/idempotency/execution/events.js";
import { createExecutor } from "../../../src/idempotency/execution/executor.js";
import { serve } from "../../../src/idempotency/execution/serve.js";
import type { Outcome } from "../../../src/idempotency/port/outcome.js";
import { policiesOf } from "../../../src/idempotency/request/policy.js";
import { createMemoryStore } from "../../../src/stores/memory/index.js";
import {
  callError,
  callOf,
  completeEach,
  describeError,
  ok,
} from "../../support/idempotency/calls.js";
import { reasonOf } from "../../support/idempotency/replies.js";
import { probe } from "../../support/idempotency/store-probe.js";

/** What a handler leaves to be made of its answer, and how often that was done. */
function pending(make: () => Outcome) {
  let times = 0;
  return {
    outcome: () => {
      times += 1;
      return make();
    },
    timesMade: () => times,
  };
}

const fails = (error: unknown) => () => {
  throw error;
};

interface Transaction {
  readonly name: string;
}
const transaction: Transaction = { name: "of the money" };

/** An executor over the memory store, with transactions that commit at once. */
function setup() {
  const memory = createMemoryStore();
  const tap = probe<Transaction>({
    ...memory,
    completeWithin: (_transaction, completions) => completeEach(memory, completions),
    ownWithin: async (_transaction, claims) => claims.map(() => true),
  });
  const events: ExecutorEvent[] = [];
  const executor = createExecutor({ store: tap.store, onEvent: (event) => events.push(event) });
  return { tap, executor, events };
}

describe("an outcome that is still to be made", () => {
  it("is made once, stored, and replayed", async () => {
    const { executor, tap } = setup();
    const { outcome, timesMade } = pending(() => ok("made"));
    const call = callOf<Transaction>({ run: async () => outcome });
    expect(await executor.execute(call)).toEqual({ ...ok("made"), replayed: false });
    expect(await executor.execute(call)).toMatchObject({ body: ok("made").body, replayed: true });
    expect(timesMade()).toBe(1);
    expect(tap.calls("complete")).toBe(1);
  });

  it("is never made where the handler has stored its answer in its own transaction", async () => {
    const { executor, tap } = setup();
    const { outcome, timesMade } = pending(fails(new Error("made all the same")));
    const call = callOf<Transaction>({
      async run(execution) {
        await execution.completeWithin(transaction, Buffer.from("stored"));
        return outcome;
      },
    });
    expect(await executor.execute(call)).toEqual({ ...ok("stored"), replayed: false });
    expect(await executor.execute(call)).toMatchObject({ body: ok("stored").body, replayed: true });
    expect(timesMade()).toBe(0);
    expect(tap.calls("complete")).toBe(0);
  });

  const thrown: [string, unknown, string][] = [
    ["an error", new Error("cannot be encoded"), "OUTCOME_UNKNOWN"],
    ["nothing", undefined, "OUTCOME_UNKNOWN"],
    ["a status that says nothing for sure", callError(Code.INTERNAL), "OUTCOME_UNKNOWN"],
    ["a status that ends the call", callError(Code.NOT_FOUND), "TEST_REASON"],
    ["an answer for good", new Final(describeError(Code.ABORTED)), "TEST_REASON"],
  ];
  it.each(thrown)(
    "that cannot be made, with %s, ends the call as a handler that throws it does",
    async (_, error, reason) => {
      const runs: Run<Transaction>[] = [
        async () => fails(error),
        async () => Promise.reject(error),
      ];
      const ends = [];
      for (const run of runs) {
        const { executor, events } = setup();
        const call = callOf<Transaction>({ run, key: "key" });
        const reply = await executor.execute(call);
        expect(reasonOf(reply)).toBe(reason);
        ends.push({ reply, again: await executor.execute(call), told: events.map(told) });
      }
      expect(ends[0]).toEqual(ends[1]);
    },
  );
});

/** An event without what differs from one run to the next. */
function told(event: ExecutorEvent) {
  return "reason" in event ? [event.type, event.reason] : [event.type];
}

describe("an outcome that is still to be made of a call without a key", () => {
  const found = policiesOf(PaymentService).get("CreatePayment");
  const message = create(CreatePaymentRequestSchema, { paymentMethod: "tok_visa" });

  function send(run: () => ReturnType<Run<never>>) {
    if (found === undefined) {
      throw new Error("CreatePayment has no policy");
    }
    return serve(setup().executor, {
      policy: { ...found, required: false },
      tenant: "default",
      keyMetadata: [],
      desc: CreatePaymentRequestSchema,
      message,
      bytes: toBinary(CreatePaymentRequestSchema, message),
      run,
      signal: new AbortController().signal,
    });
  }

  it("is made once, and sent", async () => {
    const { outcome, timesMade } = pending(() => ok("made"));
    expect(await send(async () => outcome)).toEqual({ ...ok("made"), replayed: false });
    expect(timesMade()).toBe(1);
  });

  it.each([
    ["an error", new Error("secret"), Code.INTERNAL, "INTERNAL"],
    ["a status", callError(Code.NOT_FOUND), Code.NOT_FOUND, "TEST_REASON"],
    ["nothing", undefined, Code.INTERNAL, "INTERNAL"],
  ])("answers for a maker that throws %s as for a handler", async (_, error, code, reason) => {
    const reply = await send(async () => fails(error));
    expect(reply.code).toBe(code);
    expect(reasonOf(reply)).toBe(reason);
    expect(reply.message).not.toContain("secret");
    expect(reply).toEqual(await send(() => Promise.reject(error)));
  });
});
