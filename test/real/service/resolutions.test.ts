import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FaultAction } from "../../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import { Code } from "../../../src/idempotency/answers/code.js";
import { callEach } from "../../support/calls/call-each.js";
import {
  type HeldRow,
  heldPayments,
  type NextCall,
  nextCalls,
  type PaymentLeft,
} from "../../support/operators/resolution-table.js";
import { untilAnswered } from "../../support/payments/payments-client.js";
import { ALL_CALLS, processorKeyOfCall } from "../../support/service/processor.js";
import { createPaymentFor, type HeldCall, type HeldKind, heldCall, sendOf } from "./held-calls.js";
import { expectTold, found, type Resolving, startResolving } from "./resolving.js";

/** All calls of this file are held at the same time. */
const PREPARATION_LIMIT_MS = 120_000;

interface Scenario {
  readonly row: HeldRow<PaymentLeft>;
  readonly next: NextCall;
}

const scenarios = heldPayments.flatMap((row) => nextCalls.map((next) => ({ row, next })));

let resolving: Resolving;
const calls = new Map<string, HeldCall>();
/** The payments that other requests name. */
const others = new Map<HeldKind, string>();

beforeAll(async () => {
  resolving = await startResolving();
  const { client, processor } = resolving;
  for (const kind of ["create", "capture", "cancel", "refund"] as const) {
    others.set(kind, await createPaymentFor(client, kind, `other-${kind}`));
  }
  await callEach(scenarios, async (scenario) => {
    const kind = kindOf(scenario);
    const key = keyOf(scenario);
    const paymentId =
      kind === "create" ? "" : await createPaymentFor(client, kind, `${key}-payment`);
    const otherPaymentId = others.get(kind) ?? "";
    calls.set(key, heldCall(client, kind, { key, paymentId, otherPaymentId }));
  });
  // What the operator says is true: the processor has acted, or it has not.
  await processor.arm(
    ...scenarios.map((scenario) => ({
      action:
        scenario.row.resolution === "response" ? FaultAction.ERROR_AFTER : FaultAction.DROP_BEFORE,
      processorKey: processorKeyOfCall(callOf(scenario).method, keyOf(scenario)),
      count: ALL_CALLS,
    })),
  );
  await callEach([...calls.values()], ({ send }) => send());
  await callEach([...calls.values()], ({ method, key }) => resolving.untilHeld(method, key));
  await processor.arm();
}, PREPARATION_LIMIT_MS);

afterAll(() => resolving?.stop());

function kindOf({ row }: Scenario): HeldKind {
  const kind = row.record.replace("held ", "");
  if (kind !== "create" && kind !== "capture" && kind !== "cancel" && kind !== "refund") {
    throw new Error(`${row.record} is no call of the payment service`);
  }
  return kind;
}

function keyOf({ row, next }: Scenario): string {
  return `${row.record} ${row.resolution} ${next}`.replaceAll(" ", "-");
}

function callOf(scenario: Scenario): HeldCall {
  const call = calls.get(keyOf(scenario));
  if (call === undefined) {
    throw new Error("the call was not prepared");
  }
  return call;
}

describe.each(heldPayments)("a $record, resolved as $resolution", (row) => {
  it.each(nextCalls)("then %s", async (next) => {
    const scenario = { row, next };
    const call = callOf(scenario);
    const { method, key, paymentId } = call;
    const fencingToken = await resolving.untilHeld(method, key);
    const resolved = await resolving.resolve(method, key, fencingToken, found[row.resolution]);
    expect(resolved.code).toBe(Code.OK);
    expect((await resolving.recordOf(method, key))?.state).toBe(row.resolved.state);
    await resolving.expectLeft(paymentId, row.resolved.left);

    const { told, left } = row.next[next];
    const send = sendOf(call, next);
    if (send !== undefined && told !== undefined) {
      // One that is executed is repeated until it is answered.
      expectTold(told.says === "OK" ? (await untilAnswered(send)).answer : await send(), told);
    }
    await resolving.expectLeft(paymentId, left);
    const isAnswered = next === "the same request" || row.resolved.state === "completed";
    const record = await resolving.recordOf(method, key);
    expect(record?.state).toBe(isAnswered ? "completed" : "released");
  });
});

it("the payments that other requests named are as they were, and no invariant is violated", async () => {
  const untouched = (record: string) =>
    heldPayments.find((row) => row.record === record && row.resolution === "not_executed");
  for (const [kind, paymentId] of others) {
    const left = untouched(kind === "refund" ? "held refund" : "held capture")?.resolved.left;
    await resolving.expectLeft(paymentId, left);
  }
  await resolving.expectNothingViolated();
});
