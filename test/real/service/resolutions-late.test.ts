import { setTimeout as sleep } from "node:timers/promises";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FaultAction } from "../../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import { Code } from "../../../src/idempotency/answers/code.js";
import { holdAt, installBreakpoints } from "../../support/faults/breakpoints.js";
import { PART, resolutions } from "../../support/operators/resolution-table.js";
import {
  eur,
  isReplayed,
  openPayments,
  type PaymentsClient,
  refusalOf,
  untilAnswered,
} from "../../support/payments/payments-client.js";
import { ALL_CALLS, processorKeyOfCall } from "../../support/service/processor.js";
import { waitUntil } from "../../support/service/service-process.js";
import { createPayment } from "./held-calls.js";
import { found, type Resolving, startResolving } from "./resolving.js";

const METHOD = "CapturePayment";

/** The first call is under way at the processor until after the operator's word. */
const LATE_MS = 12_000;

/** Past it nothing is sent that an operator gave free; what one call may take and a margin before. */
const WINDOW_MS = 5_000;

const ARRIVAL_LIMIT_MS = 40_000;

const authorized = {
  status: "AUTHORIZED",
  declineCode: "",
  captured: 0n,
  refunded: 0n,
  effects: ["AUTHORIZE"],
};

let resolving: Resolving;
/** Of a service that believes its processor to remember for long. It recovers nothing. */
let patient: PaymentsClient;

beforeAll(async () => {
  resolving = await startResolving({ PROCESSOR_KEY_WINDOW_MS: String(WINDOW_MS) });
  const { grpcAddress } = await resolving.addService({
    PROCESSOR_KEY_WINDOW_MS: "24h",
    RECOVERY_INTERVAL_MS: "1h",
  });
  patient = openPayments(grpcAddress);
});

afterAll(async () => {
  patient?.close();
  await resolving?.stop();
});

/** Captures of a payment that the processor drops, until their key is held and resolved as not executed. */
async function neverExecuted(key: string, paymentId: string, minorUnits?: bigint) {
  const { client, processor } = resolving;
  const amount = minorUnits === undefined ? {} : { amount: eur(minorUnits) };
  const capture = () => client.capturePayment({ paymentId, ...amount }, key);
  const processorKey = processorKeyOfCall(METHOD, key);
  await processor.arm({ action: FaultAction.DROP_BEFORE, processorKey, count: ALL_CALLS });
  await capture();
  await release(key);
  await processor.arm();
  return capture;
}

async function release(key: string): Promise<void> {
  const fencingToken = await resolving.untilHeld(METHOD, key);
  const resolved = await resolving.resolve(METHOD, key, fencingToken, found.not_executed);
  expect(resolved.code).toBe(Code.OK);
}

describe("a processor that charges late, although nothing was said to be on its way", () => {
  it.each([
    { when: "after the charge", waits: true },
    { when: "before the charge", waits: false },
  ])("has one effect once the same request comes $when", async ({ when, waits }) => {
    const { client, processor } = resolving;
    const key = `late-${when}`.replaceAll(" ", "-");
    const paymentId = await createPayment(client, `${key}-payment`);
    const processorKey = processorKeyOfCall(METHOD, key);
    await processor.arm(
      { action: FaultAction.DELAY_BEFORE, processorKey, delay: durationFromMs(LATE_MS) },
      { action: FaultAction.DROP_BEFORE, processorKey, count: ALL_CALLS },
    );
    const request = { paymentId, amount: eur(PART) };
    const capture = () => patient.capturePayment(request, key);
    const startedAtMs = performance.now();
    await client.capturePayment(request, key);
    await release(key);
    await resolving.expectLeft(paymentId, authorized);
    await processor.arm();

    const isCharged = async () => (await processor.effectsUnder(processorKey)).length > 0;
    if (waits) {
      await waitUntil(isCharged, ARRIVAL_LIMIT_MS);
    } else {
      expect(await isCharged()).toBe(false);
    }
    const { answer } = await untilAnswered(capture);
    expect(answer.response?.payment?.captured?.minorUnits).toBe(PART);
    await waitUntil(() => performance.now() - startedAtMs > LATE_MS, ARRIVAL_LIMIT_MS);
    await resolving.expectLeft(paymentId, {
      ...authorized,
      status: "PARTIALLY_CAPTURED",
      captured: PART,
      effects: ["AUTHORIZE", "CAPTURE"],
    });
    const [effect, ...more] = await processor.effectsUnder(processorKey);
    expect([effect?.amount?.minorUnits, more]).toEqual([PART, []]);
    expect(isReplayed(await capture())).toBe(true);
  });
});

describe("a capture that was not executed, after what it had reserved is used", () => {
  const captured = {
    ...authorized,
    status: "CAPTURED",
    captured: 10_000n,
    effects: ["AUTHORIZE", "CAPTURE"],
  };

  it("is refused for good, and reserves nothing", async () => {
    const { client } = resolving;
    const paymentId = await createPayment(client, "used-payment");
    const capture = await neverExecuted("used", paymentId, PART);
    const { answer } = await untilAnswered(() => client.capturePayment({ paymentId }, "used-all"));
    expect(answer.code).toBe(Code.OK);
    await resolving.expectLeft(paymentId, captured);
    const refused = await capture();
    expect(refusalOf(refused)).toMatchObject({ reason: "PAYMENT_NOT_CAPTURABLE", pushback: "-1" });
    expect(isReplayed(await capture())).toBe(true);
    await resolving.expectLeft(paymentId, captured);
    expect((await resolving.recordOf(METHOD, "used"))?.state).toBe("completed");
  });

  it("is for the amount that it once was for, though it asked for all that remains", async () => {
    const { client } = resolving;
    const paymentId = await createPayment(client, "all-payment");
    const captureAll = await neverExecuted("all", paymentId);
    await untilAnswered(() =>
      client.capturePayment({ paymentId, amount: eur(PART) }, "all-in-part"),
    );
    expect(refusalOf(await captureAll()).reason).toBe("AMOUNT_EXCEEDS_AUTHORIZED");
    const { answer } = await untilAnswered(() => client.capturePayment({ paymentId }, "all-rest"));
    expect(answer.response?.payment?.captured?.minorUnits).toBe(10_000n);
    const effects = ["AUTHORIZE", "CAPTURE", "CAPTURE"];
    await resolving.expectLeft(paymentId, { ...captured, effects });
  });

  it("waits its turn while another one is in flight, and stays its request's", async () => {
    const { client, processor } = resolving;
    const paymentId = await createPayment(client, "turn-payment");
    const capture = await neverExecuted("turn", paymentId, PART);
    const processorKey = processorKeyOfCall(METHOD, "turn-most");
    await processor.arm({ action: FaultAction.DROP_BEFORE, processorKey, count: ALL_CALLS });
    const most = () => client.capturePayment({ paymentId, amount: eur(7_000n) }, "turn-most");
    expect(refusalOf(await most()).reason).toBe("OUTCOME_UNKNOWN");
    expect(refusalOf(await capture()).reason).toBe("PAYMENT_BUSY");
    expect((await resolving.recordOf(METHOD, "turn"))?.state).toBe("released");
    const other = await client.capturePayment({ paymentId, amount: eur(1n) }, "turn");
    expect(refusalOf(other).reason).toBe("IDEMPOTENCY_KEY_REUSED");
    await processor.arm();
    expect((await untilAnswered(most)).answer.code).toBe(Code.OK);
    expect(refusalOf(await capture()).reason).toBe("AMOUNT_EXCEEDS_AUTHORIZED");
  });
});

it("a capture that comes again after the processor may have forgotten it is held again, and not sent", async () => {
  const { client, processor } = resolving;
  const paymentId = await createPayment(client, "again-payment");
  const capture = await neverExecuted("again", paymentId, PART);
  const processorKey = processorKeyOfCall(METHOD, "again");
  const sent = await processor.callsOf(processorKey);
  await sleep(WINDOW_MS);
  expect(refusalOf(await capture()).reason).toBe("OUTCOME_UNKNOWN");
  expect((await resolving.recordOf(METHOD, "again"))?.state).toBe("held");
  expect(await processor.callsOf(processorKey)).toBe(sent);
  await release("again");
  expect((await untilAnswered(capture)).answer.code).toBe(Code.OK);
  expect(await processor.callsOf(processorKey)).toBe(sent + 1n);
});

describe("a key whose operation has got the processor's answer meanwhile", () => {
  it("keeps that answer, whatever the operator says, and the operator is told", async () => {
    const { client, processor, pool } = resolving;
    await installBreakpoints(pool);
    const owner = await resolving.addService();
    const atOwner = openPayments(owner.grpcAddress);
    const paymentIds = await Promise.all(
      resolutions.map((resolution) => createPayment(client, `answered-${resolution}-payment`)),
    );
    const calls = resolutions.map((resolution, index) => {
      const request = { paymentId: paymentIds[index] ?? "", amount: eur(PART) };
      const key = `answered-${resolution}`;
      return { resolution, request, key };
    });
    await processor.arm(
      ...calls.map(({ key }) => ({
        action: FaultAction.DECLINE,
        processorKey: processorKeyOfCall(METHOD, key),
      })),
    );
    // The owner dies between the commit of the operation and that of its answer.
    const hold = await holdAt(resolving.database.url, "finish, before the answer");
    const sent = calls.map(({ request, key }) => atOwner.capturePayment(request, key));
    await waitUntil(async () => (await countDeclined()) === calls.length, ARRIVAL_LIMIT_MS);
    await hold.reached();
    owner.kill("SIGKILL");
    await hold.rollBack();
    await Promise.all(sent);
    atOwner.close();
    // As after the last of the attempts that a claim may have.
    const { rowCount } = await pool.query(
      `UPDATE idempotency_records SET state = 'held', unknown_reason = 'too many attempts'
       WHERE idempotency_key LIKE 'answered-%' AND state = 'executing'`,
    );
    expect(rowCount).toBe(calls.length);

    for (const { resolution, request, key } of calls) {
      const fencingToken = await resolving.untilHeld(METHOD, key);
      const result = await resolving.resolve(METHOD, key, fencingToken, found[resolution]);
      expect(refusalOf(result).reason).toBe("RECORD_CHANGED");
      expect(result.message).toMatch(/the processor has answered/);
      expect((await resolving.recordOf(METHOD, key))?.state).toBe("completed");
      const replay = await client.capturePayment(request, key);
      expect(isReplayed(replay)).toBe(true);
      expect(refusalOf(replay).reason).toBe("PAYMENT_NOT_CAPTURABLE");
      expect(replay.message).toMatch(/armed_decline/);
      await resolving.expectLeft(request.paymentId, authorized);
    }
  });

  async function countDeclined(): Promise<number> {
    const { rowCount } = await resolving.pool.query(
      "SELECT FROM operations WHERE state = 'declined' AND decline_code = 'armed_decline'",
    );
    return rowCount ?? 0;
  }
});

it("a response for a payment's key must be empty: the payment makes its own", async () => {
  const { client, processor } = resolving;
  const paymentId = await createPayment(client, "response-payment");
  const processorKey = processorKeyOfCall(METHOD, "response");
  await processor.arm({ action: FaultAction.DROP_BEFORE, processorKey, count: ALL_CALLS });
  await client.capturePayment({ paymentId, amount: eur(PART) }, "response");
  const fencingToken = await resolving.untilHeld(METHOD, "response");
  const before = await resolving.recordOf(METHOD, "response");
  const result = await resolving.resolve(METHOD, "response", fencingToken, {
    case: "response",
    value: new Uint8Array([10, 0]),
  });
  expect(refusalOf(result)).toMatchObject({ reason: "FIELD_INVALID", field: "response" });
  expect(await resolving.recordOf(METHOD, "response")).toEqual(before);
  const resolved = await resolving.resolve(METHOD, "response", fencingToken, found.error);
  expect(resolved.code).toBe(Code.OK);
});

it("an operator ends a payment's key also after more attempts than a claim may have", async () => {
  const { client, processor, pool } = resolving;
  const cases = [
    { says: "error", action: FaultAction.DROP_BEFORE, captured: 0n },
    { says: "response", action: FaultAction.ERROR_AFTER, captured: PART },
  ] as const;
  const keyOf = (says: string) => `attempts-${says}`;
  await processor.arm(
    ...cases.map(({ says, action }) => ({
      action,
      processorKey: processorKeyOfCall(METHOD, keyOf(says)),
      count: ALL_CALLS,
    })),
  );
  await Promise.all(
    cases.map(async ({ says, captured }) => {
      const paymentId = await createPayment(client, `${keyOf(says)}-payment`);
      await client.capturePayment({ paymentId, amount: eur(PART) }, keyOf(says));
      const fencingToken = await resolving.untilHeld(METHOD, keyOf(says));
      await pool.query(
        "UPDATE idempotency_records SET attempts = 1000 WHERE idempotency_key = $1",
        [keyOf(says)],
      );
      const resolved = await resolving.resolve(METHOD, keyOf(says), fencingToken, found[says]);
      expect(resolved.code).toBe(Code.OK);
      const lookup = { case: "paymentId", value: paymentId } as const;
      const { response } = await client.getPayment({ lookup });
      expect(response?.payment?.captured?.minorUnits ?? 0n).toBe(captured);
    }),
  );
});

it("no invariant is violated", () => resolving.expectNothingViolated());
