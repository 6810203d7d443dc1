import { fromJson } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CreatePaymentResponseSchema } from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import { Code } from "../../../src/idempotency/answers/code.js";
import { GRPCURL_BUILD_LIMIT_MS, grpcurl, grpcurlAvailable } from "../../support/grpcurl.js";
import { type Cluster, startCluster } from "../../support/service/cluster.js";
import {
  callWithGrpcurl,
  expectRefusal,
  PAYMENT,
  type Shown,
} from "../../support/service/grpcurl-call.js";
import { openProcessor, type Processor } from "../../support/service/processor.js";
import { beginWaitingPayment } from "../../support/service/waiting-payment.js";

/** How long the processor keeps a payment busy, so that another operation meets it. */
const PROCESSOR_DELAY_MS = 3_000;

const MANUAL = { capture_method: "CAPTURE_METHOD_MANUAL" };

let cluster: Cluster;
let address: string;
let processor: Processor;

beforeAll(async () => {
  cluster = await startCluster({ services: 0 });
  address = (await cluster.addService()).grpcAddress;
  processor = openProcessor(cluster.sandbox.address);
});

afterAll(async () => {
  processor?.close();
  await cluster?.stop();
});

function call(method: string, request: unknown, ...metadata: string[]): Promise<Shown> {
  return callWithGrpcurl({ address, method, request, metadata });
}

function createPayment(key: string, change: object = {}): Promise<Shown> {
  return call("CreatePayment", { ...PAYMENT, ...change }, `idempotency-key: ${key}`);
}

function paymentIdIn({ json }: Shown): string {
  return fromJson(CreatePaymentResponseSchema, json).payment?.id ?? "";
}

function amountOf(minor_units: string, currency_code = "EUR") {
  return { amount: { currency_code, minor_units } };
}

describe.skipIf(!grpcurlAvailable)("with grpcurl", () => {
  beforeAll(async () => {
    await grpcurl(["-version"]);
  }, GRPCURL_BUILD_LIMIT_MS);

  describe("a request that cannot be meant", () => {
    it.each([
      {
        what: "no amount",
        change: { amount: undefined },
        reason: "AMOUNT_INVALID",
        field: "amount",
      },
      {
        what: "zero",
        change: amountOf("0"),
        reason: "AMOUNT_INVALID",
        field: "amount.minor_units",
      },
      {
        what: "a negative amount",
        change: amountOf("-1"),
        reason: "AMOUNT_INVALID",
        field: "amount.minor_units",
      },
      {
        what: "more than 10^15",
        change: amountOf("1000000000000001"),
        reason: "AMOUNT_INVALID",
        field: "amount.minor_units",
      },
      {
        what: "a currency of the past",
        change: amountOf("1", "DEM"),
        reason: "CURRENCY_UNKNOWN",
        field: "amount.currency_code",
      },
      {
        what: "no payment method",
        change: { payment_method: "" },
        reason: "FIELD_INVALID",
        field: "payment_method",
      },
      {
        what: "a long reference",
        change: { merchant_reference: "r".repeat(256) },
        reason: "FIELD_INVALID",
        field: "merchant_reference",
      },
      {
        what: "a capture method of the future",
        change: { capture_method: 7 },
        reason: "FIELD_INVALID",
        field: "capture_method",
      },
    ])("$what: $reason, and the key stays free", async ({ what, change, reason, field }) => {
      const key = what.replaceAll(" ", "-");
      const refused = await createPayment(key, change);
      expectRefusal(refused, { code: Code.INVALID_ARGUMENT, reason, field });
      expect(await createPayment(key)).toMatchObject({ code: Code.OK });
    });
  });

  describe("a payment that does not admit the operation", () => {
    let captured: string;
    let authorized: string;
    let declined: string;

    beforeAll(async () => {
      captured = paymentIdIn(await createPayment("captured"));
      authorized = paymentIdIn(await createPayment("authorized", MANUAL));
      declined = paymentIdIn(await createPayment("declined", { payment_method: "tok_declined" }));
    });

    it.each([
      {
        method: "CapturePayment",
        of: () => "pay_none",
        code: Code.NOT_FOUND,
        reason: "PAYMENT_NOT_FOUND",
      },
      {
        method: "CapturePayment",
        of: () => authorized,
        more: amountOf("2001"),
        reason: "AMOUNT_EXCEEDS_AUTHORIZED",
      },
      {
        method: "RefundPayment",
        of: () => captured,
        more: amountOf("2001"),
        reason: "AMOUNT_EXCEEDS_CAPTURED",
      },
      { method: "CapturePayment", of: () => captured, reason: "PAYMENT_NOT_CAPTURABLE" },
      { method: "CapturePayment", of: () => declined, reason: "PAYMENT_NOT_CAPTURABLE" },
      { method: "CancelPayment", of: () => captured, reason: "PAYMENT_NOT_CANCELABLE" },
      { method: "RefundPayment", of: () => authorized, reason: "PAYMENT_NOT_REFUNDABLE" },
      {
        method: "CapturePayment",
        of: () => authorized,
        more: amountOf("1", "USD"),
        reason: "CURRENCY_MISMATCH",
      },
    ])("$method: $reason", async ({ method, of, more, reason, code }) => {
      const request = { payment_id: of(), ...more };
      const key = `idempotency-key: ${method}-${reason}-${of()}`;
      const expected = { code: code ?? Code.FAILED_PRECONDITION, reason };
      const refused = await call(method, request, key);
      expectRefusal(refused, expected);
      const again = await call(method, request, key);
      expectRefusal(again, expected);
      expect(again.trailers.get("idempotency-replayed")).toBe("true");
      expect(again.json).toEqual(refused.json);
    });

    it("GetPayment: PAYMENT_NOT_FOUND", async () => {
      expectRefusal(await call("GetPayment", { payment_id: "pay_none" }), {
        code: Code.NOT_FOUND,
        reason: "PAYMENT_NOT_FOUND",
      });
    });

    it("PAYMENT_BUSY while another operation is in flight, and the key stays free", async () => {
      const key = "busy";
      const send = () => createPayment(key, MANUAL);
      const delayMs = PROCESSOR_DELAY_MS;
      const { result } = await beginWaitingPayment({ processor, key, delayMs, send });
      const processing = await call("GetPayment", { idempotency_key: key });
      expect(processing.json).toMatchObject({ payment: { status: "PAYMENT_STATUS_PROCESSING" } });
      const payment_id = paymentIdIn(processing);
      const capture = () => call("CapturePayment", { payment_id }, "idempotency-key: busy-capture");
      expectRefusal(await capture(), {
        code: Code.ABORTED,
        reason: "PAYMENT_BUSY",
        next: "retry_same_key",
      });
      await result;
      expect(await capture()).toMatchObject({
        json: { payment: { status: "PAYMENT_STATUS_CAPTURED" } },
      });
    });
  });
});
