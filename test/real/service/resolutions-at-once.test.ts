import type { DescMessage } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FaultAction } from "../../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import type { UnaryResult } from "../../../src/grpc/client.js";
import { Code } from "../../../src/idempotency/answers/code.js";
import { callEach } from "../../support/calls/call-each.js";
import { holdAt, installBreakpoints } from "../../support/faults/breakpoints.js";
import {
  heldPayments,
  type Resolution,
  resolutions,
} from "../../support/operators/resolution-table.js";
import {
  answerOf,
  openPayments,
  refusalOf,
  untilAnswered,
} from "../../support/payments/payments-client.js";
import { ALL_CALLS, processorKeyOfCall } from "../../support/service/processor.js";
import { waitUntil } from "../../support/service/service-process.js";
import { createPayment, type HeldCall, heldCall } from "./held-calls.js";
import { found, type Resolving, startResolving } from "./resolving.js";

const METHOD = "CapturePayment";
const CALLERS = 4;

/** Until an operator's claim is over, on a busy machine. */
const LEASE = "2s";
const HELD_AGAIN_LIMIT_MS = 40_000;
const PREPARATION_LIMIT_MS = 120_000;

let resolving: Resolving;

/** Captures that are held, by their keys, with the tokens that an operator has read. */
const held = new Map<string, { readonly call: HeldCall; readonly fencingToken: bigint }>();

interface Capture {
  readonly key: string;
  /** What an operator will find. */
  readonly says: Resolution;
}

/** None says `response`: the processor has not acted, and one of two is wrong anyway. */
const pairs: readonly (readonly [Resolution, Resolution])[] = [
  ["not_executed", "not_executed"],
  ["not_executed", "error"],
  ["error", "not_executed"],
  ["error", "error"],
];

beforeAll(async () => {
  resolving = await startResolving({ IDEMPOTENCY_LEASE_MS: LEASE });
  await resolving.addService();
  await installBreakpoints(resolving.pool);
  await holdCaptures([
    { key: "stale", says: "error" },
    ...pairs.map((pair) => ({ key: pair.join("-and-"), says: "error" as const })),
    ...resolutions.map((says) => ({ key: `retried-${says}`, says })),
    { key: "killed", says: "not_executed" },
  ]);
}, PREPARATION_LIMIT_MS);

afterAll(() => resolving?.stop());

/** Holds captures of 40.00 whose processor acts, or not, as the operator will say. */
async function holdCaptures(captures: readonly Capture[]): Promise<void> {
  const { client, processor } = resolving;
  await processor.arm(
    ...captures.map(({ key, says }) => ({
      action: says === "response" ? FaultAction.ERROR_AFTER : FaultAction.DROP_BEFORE,
      processorKey: processorKeyOfCall(METHOD, key),
      count: ALL_CALLS,
    })),
  );
  await callEach(captures, async ({ key }) => {
    const paymentId = await createPayment(client, `${key}-payment`);
    const call = heldCall(client, "capture", { key, paymentId, otherPaymentId: "" });
    await call.send();
    held.set(key, { call, fencingToken: await resolving.untilHeld(METHOD, key) });
  });
  await processor.arm();
}

function heldUnder(key: string) {
  const found = held.get(key);
  if (found === undefined) {
    throw new Error(`no capture is held under ${key}`);
  }
  return found;
}

function rowOf(resolution: Resolution) {
  const row = heldPayments.find(
    (each) => each.record === "held capture" && each.resolution === resolution,
  );
  if (row === undefined) {
    throw new Error("the table has no such row");
  }
  return row;
}

it("no resolution is taken under a fencing token that was read at another time", async () => {
  const { call, fencingToken } = heldUnder("stale");
  const before = await resolving.recordOf(METHOD, call.key);
  for (const token of [fencingToken - 1n, fencingToken + 1n, 0n]) {
    for (const resolution of resolutions) {
      const result = await resolving.resolve(METHOD, call.key, token, found[resolution]);
      expect(refusalOf(result)).toMatchObject({ code: Code.ABORTED, reason: "RECORD_CHANGED" });
    }
  }
  expect(await resolving.recordOf(METHOD, call.key)).toEqual(before);
  const resolved = await resolving.resolve(METHOD, call.key, fencingToken, found.error);
  expect(resolved.code).toBe(Code.OK);
  await resolving.expectLeft(call.paymentId, rowOf("error").resolved.left);
});

describe("of two operators at once", () => {
  it.each(pairs)("who say %s and %s, one wins", async (...words) => {
    const { call, fencingToken } = heldUnder(words.join("-and-"));
    const operators = resolving.targets().map((target) => openPayments(target));
    const name = { operation: `payonce.payments.v1.PaymentService/${METHOD}` };
    const results = await Promise.all(
      operators.map((operator, index) =>
        operator.resolveKey({
          name: { ...name, idempotencyKey: call.key },
          fencingToken,
          reason: `operator ${index}`,
          resolution: found[words[index] ?? "error"],
        }),
      ),
    );
    const winners = results.flatMap(({ code }, index) => (code === Code.OK ? [index] : []));
    expect(winners).toHaveLength(1);
    const [winner = 0] = winners;
    const loser = results[1 - winner];
    expect(loser && refusalOf(loser).reason).toBe("RECORD_CHANGED");
    const { resolved } = rowOf(words[winner] ?? "error");
    expect((await resolving.recordOf(METHOD, call.key))?.state).toBe(resolved.state);
    await resolving.expectLeft(call.paymentId, resolved.left);
    for (const operator of operators) {
      operator.close();
    }
  });
});

describe("clients that retry while an operator ends the key", () => {
  it.each(resolutions)("all get what comes of %s", async (resolution) => {
    const { call, fencingToken } = heldUnder(`retried-${resolution}`);
    const clients = resolving.targets().map((target) => openPayments(target));
    const calls = clients.map((client) =>
      heldCall(client, "capture", { ...call, otherPaymentId: "" }),
    );
    let asked = 0;
    const retrying = Array.from({ length: CALLERS }, async (_, caller) => {
      let result: UnaryResult<DescMessage>;
      do {
        const sent = calls[caller % calls.length]?.send();
        result = await (sent ?? Promise.reject(new Error("no service")));
        asked += 1;
      } while (isToRetry(result));
      return result;
    });
    await waitUntil(() => asked > 2 * CALLERS, HELD_AGAIN_LIMIT_MS);
    const resolved = await resolving.resolve(METHOD, call.key, fencingToken, found[resolution]);
    expect(resolved.code).toBe(Code.OK);
    const answers = await Promise.all(retrying);
    expect(new Set(answers.map((answer) => JSON.stringify(answerOf(answer)))).size).toBe(1);
    const { told, left } = rowOf(resolution).next["the same request"];
    const [answer] = answers;
    expect(answer?.code === Code.OK ? "OK" : answer && refusalOf(answer).reason).toBe(told?.says);
    await resolving.expectLeft(call.paymentId, left);
    expect((await resolving.recordOf(METHOD, call.key))?.state).toBe("completed");
    for (const client of clients) {
      client.close();
    }
  });
});

/** A held key says so until it is ended, and then it may be busy for a moment. */
function isToRetry({ code }: UnaryResult<DescMessage>): boolean {
  return code === Code.UNAVAILABLE || code === Code.ABORTED;
}

it("an operator's service that is killed in the middle ends nothing: the key is held again", async () => {
  const { call, fencingToken } = heldUnder("killed");
  const service = await resolving.addService();
  const operator = openPayments(service.grpcAddress);
  const hold = await holdAt(resolving.database.url, "ending as not executed");
  const result = operator.resolveKey({
    name: {
      operation: `payonce.payments.v1.PaymentService/${METHOD}`,
      idempotencyKey: call.key,
    },
    fencingToken,
    reason: "asked the bank",
    resolution: found.not_executed,
  });
  await hold.reached();
  service.kill("SIGKILL");
  await hold.rollBack();
  expect((await result).code).not.toBe(Code.OK);
  operator.close();

  // Its claim is over with its lease; the next attempt finds that it is too late to send anything.
  const isHeldAnew = async () => {
    await call.send();
    const record = await resolving.recordOf(METHOD, call.key);
    return record?.state === "held" && record.fencingToken > fencingToken;
  };
  await waitUntil(isHeldAnew, HELD_AGAIN_LIMIT_MS);
  const { rows } = await resolving.pool.query<{ capturing: string }>(
    "SELECT capturing FROM payments WHERE id = $1",
    [call.paymentId],
  );
  expect(rows).toEqual([{ capturing: "4000" }]);
  const token = await resolving.untilHeld(METHOD, call.key);
  const again = await resolving.resolve(METHOD, call.key, token, found.not_executed);
  expect(again.code).toBe(Code.OK);
  await resolving.expectLeft(call.paymentId, rowOf("not_executed").resolved.left);
  const { answer } = await untilAnswered(call.send);
  expect(answer.code).toBe(Code.OK);
});

it("no invariant is violated", () => resolving.expectNothingViolated());
