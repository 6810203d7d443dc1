import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FaultAction } from "../../../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import { Code } from "../../../../src/idempotency/answers/code.js";
import {
  type FaultCluster,
  seconds,
  startFaultCluster,
  tell,
} from "../../../support/faults/fault-cluster.js";
import { resolve, untilHeld } from "../../../support/operators/operator.js";
import {
  answerOf,
  isReplayed,
  type PaymentsClient,
  paymentOf,
  refusalOf,
  untilAnswered,
} from "../../../support/payments/payments-client.js";
import { wireOfRun } from "../../../support/servers/wire.js";
import { processorKeyOfCall } from "../../../support/service/processor.js";

/** The form in which services speak to the processor. */
const wire = wireOfRun();

const PROCESSOR_TIMEOUT_MS = 700;

/** Longer than the service waits for the processor. */
const LATE = durationFromMs(2 * PROCESSOR_TIMEOUT_MS);

/** More than one attempt meets: also what recovery sends. */
const ATTEMPTS_MET = 2;

let cluster: FaultCluster;
let clients: readonly PaymentsClient[];

beforeAll(async () => {
  cluster = await startFaultCluster({
    services: 2,
    env: { PROCESSOR_TIMEOUT_MS: String(PROCESSOR_TIMEOUT_MS) },
  });
  clients = cluster.services.map((service) => cluster.connect(service));
});

afterAll(() => cluster?.stop());

/** Sends a payment from two callers of its key at once, and compares what they end with. */
async function expectOneAnswer(
  key: string,
  ...faults: Parameters<FaultCluster["processor"]["arm"]>
): Promise<void> {
  const processorKey = processorKeyOfCall("CreatePayment", key);
  await cluster.processor.arm(...faults.map((fault) => ({ ...fault, processorKey })));
  const startedAtMs = performance.now();
  const ends = await Promise.all(
    clients.map((client) => untilAnswered(() => client.createPayment(paymentOf("tok_visa"), key))),
  );
  const reasons = ends.flatMap(({ earlier }) => earlier.map((result) => refusalOf(result).reason));
  expect(reasons).toContain("OUTCOME_UNKNOWN");
  const [first, second] = ends.map(({ answer }) => answer);
  expect(first && answerOf(first)).toEqual(second && answerOf(second));
  expect(ends.filter(({ answer }) => !isReplayed(answer)).length).toBeLessThanOrEqual(1);
  await cluster.expectOneCharge(key);
  await cluster.processor.arm(); // so that a lookup finds the calls again
  const calls = await cluster.processor.callsOf(processorKey);
  // Behind an error that Stripe keeps, a look-up may be enough.
  expect(calls).toBeGreaterThan(wire === "sandbox" ? 1n : 0n);
  tell(
    `${key}: told ${[...new Set(reasons)].join(", ")}, answered after ${seconds(performance.now() - startedAtMs)}; calls to the processor ${calls}, effects 1`,
  );
}

/** By these a processor says that the call itself does nothing, and never will. */
const REFUSALS: readonly Code[] =
  wire === "sandbox"
    ? [Code.INVALID_ARGUMENT, Code.FAILED_PRECONDITION]
    : // All of these are Stripe's `invalid_request_error`.
      [Code.INVALID_ARGUMENT, Code.FAILED_PRECONDITION, Code.NOT_FOUND, Code.OUT_OF_RANGE];

// Object.entries forgets the names' type.
const errors = (Object.entries(Code) as [keyof typeof Code, Code][]).filter(
  ([, code]) => code !== Code.OK && !REFUSALS.includes(code),
);

describe("a processor that answers with an error, whatever its code", () => {
  it.each(errors)("%s, having charged: charged once", async (name, code) => {
    await expectOneAnswer(`charged-${name}`, {
      action: FaultAction.ERROR_AFTER,
      code,
      count: ATTEMPTS_MET,
    });
  });

  it.each(errors)("%s, having done nothing: charged once", async (name, code) => {
    await expectOneAnswer(`refused-${name}`, {
      action: FaultAction.ERROR_BEFORE,
      code,
      count: ATTEMPTS_MET,
    });
  });
});

describe("a processor that refuses a call for good", () => {
  it.each([
    { what: "as invalid, having charged", action: FaultAction.ERROR_AFTER, charged: true },
    { what: "as invalid, having done nothing", action: FaultAction.ERROR_BEFORE, charged: false },
  ])("$what: asked what it did, and believed", async ({ what, action, charged }) => {
    const key = what.replaceAll(" ", "-");
    const processorKey = processorKeyOfCall("CreatePayment", key);
    await cluster.processor.arm({ action, processorKey, code: Code.INVALID_ARGUMENT });
    const answer = await clients[0]?.createPayment(paymentOf("tok_visa"), key);
    const payment = answer?.response?.payment;
    expect(payment?.declineCode).toBe(charged ? "" : "invalid_request");
    const effects = charged ? ["AUTHORIZE_CAPTURE"] : [];
    expect(await cluster.processor.effectTypesOf(payment?.id)).toEqual(effects);
  });

  // Faults have no code for what Stripe says of a key that comes with another request.
  it.runIf(wire === "sandbox").each([
    { what: "as reused, having charged", action: FaultAction.ERROR_AFTER, kind: "response" },
    { what: "as reused, having done nothing", action: FaultAction.ERROR_BEFORE, kind: "error" },
  ] as const)("$what: left to an operator", async ({ what, action, kind }) => {
    const [client] = clients;
    const key = what.replaceAll(" ", "-");
    const processorKey = processorKeyOfCall("CreatePayment", key);
    await cluster.processor.arm({ action, processorKey, code: Code.FAILED_PRECONDITION });
    const pay = () => client?.createPayment(paymentOf("tok_visa"), key);
    expect(await pay()).toMatchObject({ code: Code.UNAVAILABLE });
    const held = client && (await untilHeld(client, scopeOf(key)));
    expect(held?.unknownReason).toContain("the processor refuses the call");
    expect(await cluster.processor.callsOf(processorKey)).toBe(1n);
    await (client && held && resolve(client, held, kind));
    expect((await pay())?.response?.payment).toMatchObject({
      declineCode: kind === "error" ? "operator" : "",
    });
  });
});

function scopeOf(key: string) {
  const operation = "payonce.payments.v1.PaymentService/CreatePayment";
  return { tenant: "default", operation, key };
}

describe("a processor that gives no answer", () => {
  it.each([
    { what: "charges and drops the reply", action: FaultAction.DROP_AFTER },
    { what: "drops the call", action: FaultAction.DROP_BEFORE },
    { what: "charges and answers late", action: FaultAction.DELAY_AFTER, delay: LATE },
    { what: "charges late", action: FaultAction.DELAY_BEFORE, delay: LATE },
    { what: "never answers", action: FaultAction.NEVER },
  ])("$what: charged once", async ({ what, ...fault }) => {
    await expectOneAnswer(what.replaceAll(" ", "-"), { ...fault, count: ATTEMPTS_MET });
  });

  it("finds nothing when it is asked, and the charge appears later: charged once", async () => {
    const key = "hidden";
    const hidden = { action: FaultAction.HIDE_FROM_LOOKUP, count: 100 };
    const late = { action: FaultAction.DELAY_BEFORE, delay: LATE, count: ATTEMPTS_MET };
    await expectOneAnswer(key, late, hidden);
  });
});

it("a processor that declines and drops the reply: declined for good, nothing charged", async () => {
  const [client] = clients;
  const key = "declined-unheard";
  const processorKey = processorKeyOfCall("CreatePayment", key);
  await cluster.processor.arm({ action: FaultAction.ERROR_BEFORE, processorKey });
  const pay = () => client?.createPayment(paymentOf("tok_declined"), key);
  expect(await pay()).toMatchObject({ code: Code.UNAVAILABLE });
  await cluster.recovered();
  const answer = await pay();
  expect(answer?.response?.payment?.declineCode).toBe("declined");
  expect(await cluster.processor.effectTypesOf(answer?.response?.payment?.id)).toEqual([]);
});

it("violates no invariant", async () => {
  await cluster.recovered();
  await cluster.expectNothingViolated();
});
