import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  CreatePaymentRequestSchema,
  PaymentService,
} from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import { Code } from "../../../src/idempotency/answers/code.js";
import { NotExecuted } from "../../../src/idempotency/answers/errors.js";
import { createExecutor } from "../../../src/idempotency/execution/executor.js";
import { type IncomingCall, serve } from "../../../src/idempotency/execution/serve.js";
import { type MethodPolicy, policiesOf } from "../../../src/idempotency/request/policy.js";
import { createMemoryStore } from "../../../src/stores/memory/index.js";
import { describeError, ok } from "../../support/idempotency/calls.js";
import { errorOf, reasonOf } from "../../support/idempotency/replies.js";

type Fields = Exclude<MessageInitShape<typeof CreatePaymentRequestSchema>, { $typeName: string }>;
type Call = IncomingCall<typeof CreatePaymentRequestSchema, never>;

const policy = policyOfCreatePayment();
const optional: MethodPolicy = { ...policy, required: false };

function policyOfCreatePayment(): MethodPolicy {
  const found = policiesOf(PaymentService).get("CreatePayment");
  if (found === undefined) {
    throw new Error("CreatePayment has no policy");
  }
  return found;
}

function setup() {
  const executor = createExecutor({ store: createMemoryStore() });
  const runs: (string | undefined)[] = [];
  const send = (fields: Fields = {}, more: Partial<Call> = {}) => {
    const message = create(CreatePaymentRequestSchema, { paymentMethod: "tok_visa", ...fields });
    return serve(executor, {
      policy,
      tenant: "default",
      keyMetadata: [],
      desc: CreatePaymentRequestSchema,
      message,
      bytes: toBinary(CreatePaymentRequestSchema, message),
      run: async (execution) => {
        runs.push(execution?.scope.key);
        return ok();
      },
      signal: new AbortController().signal,
      ...more,
    });
  };
  return { runs, send };
}

describe("where a call's key is", () => {
  it("may be the metadata, the field, or both: it is one key", async () => {
    const { runs, send } = setup();
    await send({}, { keyMetadata: ["key-1"] });
    const others = [
      await send({}, { keyMetadata: ['"key-1"'] }),
      await send({ idempotencyKey: "key-1" }),
      await send({ idempotencyKey: "key-1" }, { keyMetadata: ["key-1"] }),
    ];
    expect(others.map(({ replayed }) => replayed)).toEqual([true, true, true]);
    expect(runs).toEqual(["key-1"]);
  });

  const refused: [string, string, Parameters<ReturnType<typeof setup>["send"]>][] = [
    ["missing", "IDEMPOTENCY_KEY_MISSING", [{}]],
    ["sent twice", "IDEMPOTENCY_KEY_INVALID", [{}, { keyMetadata: ["a", "a"] }]],
    ["empty metadata", "IDEMPOTENCY_KEY_INVALID", [{}, { keyMetadata: [""] }]],
    ["256 characters", "IDEMPOTENCY_KEY_INVALID", [{ idempotencyKey: "k".repeat(256) }]],
    [
      "not the same twice",
      "IDEMPOTENCY_KEY_CONFLICT",
      [{ idempotencyKey: "a" }, { keyMetadata: ["b"] }],
    ],
  ];
  it.each(refused)("a key that is %s is refused and runs nothing", async (_, reason, call) => {
    const { runs, send } = setup();
    const reply = await send(...call);
    expect(reply.code).toBe(Code.INVALID_ARGUMENT);
    expect(errorOf(reply)).toMatchObject({ reason, next: "fix_request", pushbacks: ["-1"] });
    expect(runs).toEqual([]);
  });
});

describe("a call that may go without a key", () => {
  it("runs each time, without a claim", async () => {
    const { runs, send } = setup();
    await send({}, { policy: optional });
    expect(await send({}, { policy: optional })).toMatchObject({ code: Code.OK, replayed: false });
    expect(runs).toEqual([undefined, undefined]);
  });

  it("is deduplicated all the same if it has one", async () => {
    const { runs, send } = setup();
    await send({ idempotencyKey: "k" }, { policy: optional });
    await send({ idempotencyKey: "k" }, { policy: optional });
    expect(runs).toEqual(["k"]);
  });

  const failures: [string, () => Promise<never>, Code, string][] = [
    ["an error", () => Promise.reject(new Error("secret")), Code.INTERNAL, "INTERNAL"],
    [
      "a status",
      () => Promise.reject(new NotExecuted(describeError(Code.ABORTED))),
      Code.ABORTED,
      "TEST_REASON",
    ],
    ["nothing", () => Promise.reject(undefined), Code.INTERNAL, "INTERNAL"],
    [
      "an object without a prototype",
      () => Promise.reject(Object.create(null)),
      Code.INTERNAL,
      "INTERNAL",
    ],
    [
      "a status that cannot be encoded",
      () =>
        Promise.reject(new NotExecuted({ ...describeError(Code.ABORTED), retryDelayMs: Infinity })),
      Code.INTERNAL,
      "INTERNAL",
    ],
    [
      "before it returns a promise",
      () => {
        throw new Error("secret");
      },
      Code.INTERNAL,
      "INTERNAL",
    ],
  ];
  it.each(failures)("answers when its handler throws %s", async (_, run, code, reason) => {
    const { send } = setup();
    const reply = await send({}, { policy: optional, run });
    expect(reply.code).toBe(code);
    expect(reasonOf(reply)).toBe(reason);
    expect(reply.message).not.toContain("secret");
  });
});

describe("the same key with", () => {
  it("another message is refused, also in another order of the checks", async () => {
    const { runs, send } = setup();
    await send({ idempotencyKey: "k" });
    const reply = await send({ idempotencyKey: "k", paymentMethod: "tok_other" });
    expect(reasonOf(reply)).toBe("IDEMPOTENCY_KEY_REUSED");
    expect(runs).toHaveLength(1);
  });

  it("another tenant, or another operation, is another key", async () => {
    const { runs, send } = setup();
    await send({ idempotencyKey: "k" });
    await send({ idempotencyKey: "k" }, { tenant: "other" });
    await send({ idempotencyKey: "k" }, { policy: { ...policy, operation: "other" } });
    expect(runs).toHaveLength(3);
  });
});
