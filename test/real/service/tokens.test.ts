import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PaymentStatus } from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import { Code } from "../../../src/idempotency/answers/code.js";
import {
  answerOf,
  byKey,
  isReplayed,
  openPayments,
  type PaymentsClient,
  paymentOf,
  refusalOf,
  untilAnswered,
} from "../../support/payments/payments-client.js";
import { type Cluster, startCluster } from "../../support/service/cluster.js";
import {
  openProcessor,
  type Processor,
  processorKeyOfCall,
} from "../../support/service/processor.js";
import { waitUntil } from "../../support/service/service-process.js";

const { CAPTURED, DECLINED, PROCESSING, UNKNOWN } = PaymentStatus;

/** Only callers find out what is unknown here, so that a test sees each step. */
const RECOVERY_INTERVAL_MS = "1h";

/** Until the processor that never answers is given up. */
const SHORT_TIMEOUT_MS = "300";

let cluster: Cluster;
let processor: Processor;
let payments: PaymentsClient;
let impatient: PaymentsClient;

beforeAll(async () => {
  cluster = await startCluster({ services: 0, env: { RECOVERY_INTERVAL_MS } });
  processor = openProcessor(cluster.sandbox.address);
  payments = openPayments((await cluster.addService()).grpcAddress);
  const hurried = await cluster.addService({ PROCESSOR_TIMEOUT_MS: SHORT_TIMEOUT_MS });
  impatient = openPayments(hurried.grpcAddress);
});

afterAll(async () => {
  for (const client of [payments, impatient, processor]) {
    client?.close();
  }
  await cluster?.stop();
});

const ONE_CHARGE = ["AUTHORIZE_CAPTURE"];

/** The payment as a reader sees it, by the key that created it. */
async function statusOf(key: string): Promise<PaymentStatus | undefined> {
  return (await payments.getPayment(byKey(key))).response?.payment?.status;
}

async function effectTypesOf(key: string): Promise<readonly string[]> {
  const { response } = await payments.getPayment(byKey(key));
  return processor.effectTypesOf(response?.payment?.id);
}

const outcomeUnknown = {
  code: Code.UNAVAILABLE,
  domain: "payonce",
  reason: "OUTCOME_UNKNOWN",
  next: "retry_same_key",
  retryDelayMs: expect.any(Number),
};

describe("a payment method that is decided at once", () => {
  it.each([
    { token: "tok_visa", status: CAPTURED, declineCode: "", effects: ONE_CHARGE },
    { token: "tok_declined", status: DECLINED, declineCode: "declined", effects: [] },
    {
      token: "tok_insufficient_funds",
      status: DECLINED,
      declineCode: "insufficient_funds",
      effects: [],
    },
    {
      token: "tok_of_nobody",
      status: DECLINED,
      declineCode: "unknown_payment_method",
      effects: [],
    },
  ])("$token: the answer stays, and so does the journal", async (expected) => {
    const { token, status, declineCode, effects } = expected;
    const first = await payments.createPayment(paymentOf(token), token);
    expect(first.response?.payment).toMatchObject({ status, declineCode });
    expect(isReplayed(first)).toBe(false);
    const again = await impatient.createPayment(paymentOf(token), token);
    expect(isReplayed(again)).toBe(true);
    expect(answerOf(again)).toEqual(answerOf(first));
    expect(await statusOf(token)).toBe(status);
    expect(await effectTypesOf(token)).toEqual(effects);
  });
});

it("a token of 255 characters beyond ASCII is declined like any other unknown one", async () => {
  const call = () => payments.createPayment(paymentOf("😀".repeat(255)), "longest-token");
  const { response } = await call();
  expect(response?.payment).toMatchObject({
    status: DECLINED,
    declineCode: "unknown_payment_method",
  });
  expect(isReplayed(await call())).toBe(true);
  const longer = await payments.createPayment(paymentOf("😀".repeat(256)), "longer-token");
  expect(refusalOf(longer)).toMatchObject({ reason: "FIELD_INVALID", field: "payment_method" });
});

it("tok_slow: the payment is processing meanwhile, and a duplicate is told to wait", async () => {
  const call = () => payments.createPayment(paymentOf("tok_slow"), "slow");
  const first = call();
  const processorKey = processorKeyOfCall("CreatePayment", "slow");
  await waitUntil(async () => (await processor.callsOf(processorKey)) === 1n, 10_000);
  expect(await statusOf("slow")).toBe(PROCESSING);
  expect(refusalOf(await call())).toMatchObject({
    code: Code.ABORTED,
    reason: "REQUEST_IN_PROGRESS",
    next: "retry_same_key",
  });
  const { answer } = await untilAnswered(call);
  expect(answer.response?.payment?.status).toBe(CAPTURED);
  expect(answerOf(answer)).toEqual(answerOf(await first));
  expect(await effectTypesOf("slow")).toEqual(ONE_CHARGE);
});

describe("a processor that charges and does not say so", () => {
  it.each(["tok_drop_reply", "tok_error_after_charge"])(
    "%s: unknown at first; the same key finds the charge and makes no other",
    async (token) => {
      const call = () => payments.createPayment(paymentOf(token), token);
      const first = refusalOf(await call());
      expect(first).toMatchObject(outcomeUnknown);
      expect(first.pushback).toBe(String(first.retryDelayMs));
      expect(await statusOf(token)).toBe(UNKNOWN);
      expect(await effectTypesOf(token)).toEqual(ONE_CHARGE);

      const { answer } = await untilAnswered(call);
      expect(answer.response?.payment).toMatchObject({ status: CAPTURED });
      const replay = await call();
      expect(isReplayed(replay)).toBe(true);
      expect(answerOf(replay)).toEqual(answerOf(answer));
      expect(await statusOf(token)).toBe(CAPTURED);
      expect(await effectTypesOf(token)).toEqual(ONE_CHARGE);
    },
  );
});

it("tok_unreachable: unknown twice without an effect, then charged once", async () => {
  const call = () => payments.createPayment(paymentOf("tok_unreachable"), "unreachable");
  expect(refusalOf(await call())).toMatchObject(outcomeUnknown);
  expect(await statusOf("unreachable")).toBe(UNKNOWN);
  expect(await effectTypesOf("unreachable")).toEqual([]);

  const { earlier, answer } = await untilAnswered(call);
  const reasons = earlier.map((result) => refusalOf(result).reason);
  expect(reasons.filter((reason) => reason === "OUTCOME_UNKNOWN")).toHaveLength(1);
  expect(answer.response?.payment?.status).toBe(CAPTURED);
  expect(await effectTypesOf("unreachable")).toEqual(ONE_CHARGE);
});

it("tok_never: stays unknown with every retry, and other payments go on", async () => {
  const call = () => impatient.createPayment(paymentOf("tok_never"), "never");
  const processorKey = processorKeyOfCall("CreatePayment", "never");
  expect(refusalOf(await call())).toMatchObject(outcomeUnknown);
  expect(await statusOf("never")).toBe(UNKNOWN);
  await waitUntil(async () => {
    const { reason } = refusalOf(await call());
    return reason === "OUTCOME_UNKNOWN" && (await processor.callsOf(processorKey)) === 2n;
  }, 10_000);
  expect(await statusOf("never")).toBe(UNKNOWN);
  expect(await effectTypesOf("never")).toEqual([]);

  const other = await impatient.createPayment(paymentOf("tok_visa"), "beside-never");
  expect(other.response?.payment?.status).toBe(CAPTURED);
});
