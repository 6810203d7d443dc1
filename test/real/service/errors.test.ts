import { fromJson } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CreatePaymentResponseSchema } from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import { FaultAction } from "../../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import { Code } from "../../../src/idempotency/code.js";
import { type Cluster, startCluster } from "../../support/cluster.js";
import { GRPCURL_BUILD_LIMIT_MS, grpcurl, grpcurlAvailable } from "../../support/grpcurl.js";
import { createDatabase } from "../../support/servers/postgres.js";
import { waitUntil } from "../../support/service-process.js";
import { callWithGrpcurl, type Shown } from "./grpcurl-call.js";
import { openProcessor, type Processor, processorKeyOfCall } from "./processor.js";

/** How long the processor keeps a call under way, so that others meet it. */
const PROCESSOR_DELAY_MS = 4_000;

const STEP_LIMIT_MS = 20_000;

const LONGEST_KEY = "k".repeat(255);

/** 20.00 EUR on a card that is approved. */
const PAYMENT = {
  amount: { currency_code: "EUR", minor_units: "2000" },
  payment_method: "tok_visa",
};

let cluster: Cluster;
let address: string;
let processor: Processor;

beforeAll(async () => {
  // Only callers find out what is unknown here, so that a test sees each step.
  cluster = await startCluster({ services: 0, env: { RECOVERY_INTERVAL_MS: "1h" } });
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

interface Expected {
  readonly code: Code;
  readonly reason: string;
  readonly next?: "retry_same_key" | "fix_request" | "look_up";
  /** The field that BadRequest names. */
  readonly field?: string;
}

/** Checks the status, its details and the pushback of an error that comes alone in trailers. */
function expectRefusal(shown: Shown, { code, reason, next = "fix_request", field }: Expected) {
  const canRetry = next === "retry_same_key";
  expect(shown).toMatchObject({
    code,
    json: {
      code,
      message: expect.stringMatching(/\w/),
      details: [
        {
          "@type": "type.googleapis.com/google.rpc.ErrorInfo",
          domain: "payonce",
          reason,
          metadata: { next },
        },
        ...(canRetry
          ? [
              {
                "@type": "type.googleapis.com/google.rpc.RetryInfo",
                retryDelay: expect.stringMatching(/^\d+(\.\d+)?s$/),
              },
            ]
          : []),
        ...(field === undefined
          ? []
          : [
              {
                "@type": "type.googleapis.com/google.rpc.BadRequest",
                fieldViolations: [{ field }],
              },
            ]),
      ],
    },
  });
  expect([...shown.headers]).toEqual([]);
  expect(shown.trailers.get("grpc-retry-pushback-ms")).toMatch(canRetry ? /^\d+$/ : /^-1$/);
}

describe.skipIf(!grpcurlAvailable)("with grpcurl", () => {
  beforeAll(async () => {
    await grpcurl(["-version"]);
  }, GRPCURL_BUILD_LIMIT_MS);

  it("a person finds the services and how to call them", async () => {
    const list = await grpcurl(["-plaintext", address, "list"]);
    expect(list.stdout.trim().split("\n")).toEqual([
      "grpc.health.v1.Health",
      "grpc.reflection.v1.ServerReflection",
      "grpc.reflection.v1alpha.ServerReflection",
      "payonce.idempotency.v1.InspectionService",
      "payonce.payments.v1.PaymentService",
    ]);
    const request = "payonce.payments.v1.CreatePaymentRequest";
    const description = await grpcurl(["-plaintext", address, "describe", request]);
    expect(description.stdout).toContain("string idempotency_key = 1;");
  });

  describe("the key", () => {
    it("in metadata, bare, quoted, and in the field: all are the same key", async () => {
      const first = await createPayment("order-1");
      expect(first).toMatchObject({
        code: Code.OK,
        json: { payment: { status: "PAYMENT_STATUS_CAPTURED" } },
      });
      expect(first.headers.has("idempotency-replayed")).toBe(false);
      for (const again of [
        await createPayment("order-1"),
        await createPayment('"order-1"'),
        await call("CreatePayment", { ...PAYMENT, idempotency_key: "order-1" }),
      ]) {
        expect(again.headers.get("idempotency-replayed")).toBe("true");
        expect(again.json).toEqual(first.json);
      }
    });

    it("may have 255 characters", async () => {
      expect(await createPayment(LONGEST_KEY)).toMatchObject({ code: Code.OK });
    });

    it("is missed", async () => {
      expectRefusal(await call("CreatePayment", PAYMENT), {
        code: Code.INVALID_ARGUMENT,
        reason: "IDEMPOTENCY_KEY_MISSING",
        field: "idempotency_key",
      });
    });

    it.each([
      { what: "with 256 characters", metadata: [`idempotency-key: ${LONGEST_KEY}k`] },
      { what: "with a space", metadata: ["idempotency-key: order 1"] },
      { what: "with a quoted space", metadata: ['idempotency-key: "order 1"'] },
      { what: "that is empty", metadata: ["idempotency-key: "] },
      { what: "that is empty and quoted", metadata: ['idempotency-key: ""'] },
      { what: "sent twice", metadata: ["idempotency-key: one", "idempotency-key: two"] },
    ])("$what is malformed", async ({ metadata }) => {
      expectRefusal(await call("CreatePayment", PAYMENT, ...metadata), {
        code: Code.INVALID_ARGUMENT,
        reason: "IDEMPOTENCY_KEY_INVALID",
        field: "idempotency-key",
      });
    });

    it.each([`${LONGEST_KEY}k`, "order 1", "order\u00011", "order\n1", "örder-1"])(
      "%j in the field is malformed",
      async (key) => {
        expectRefusal(await call("CreatePayment", { ...PAYMENT, idempotency_key: key }), {
          code: Code.INVALID_ARGUMENT,
          reason: "IDEMPOTENCY_KEY_INVALID",
          field: "idempotency_key",
        });
      },
    );

    it("in metadata must be the one in the field", async () => {
      const request = { ...PAYMENT, idempotency_key: "order-1" };
      expectRefusal(await call("CreatePayment", request, "idempotency-key: order-2"), {
        code: Code.INVALID_ARGUMENT,
        reason: "IDEMPOTENCY_KEY_CONFLICT",
        field: "idempotency_key",
      });
    });

    it("of another request is refused, also where the new request is not valid", async () => {
      await createPayment("reused");
      for (const change of [{ payment_method: "tok_slow" }, { payment_method: "" }]) {
        expectRefusal(await createPayment("reused", change), {
          code: Code.FAILED_PRECONDITION,
          reason: "IDEMPOTENCY_KEY_REUSED",
        });
      }
    });
  });

  it("the same key while the first call executes", async () => {
    const { first } = await beginSlowly("in-progress");
    expectRefusal(await createPayment("in-progress"), {
      code: Code.ABORTED,
      reason: "REQUEST_IN_PROGRESS",
      next: "retry_same_key",
    });
    expectRefusal(await createPayment("in-progress", { payment_method: "tok_declined" }), {
      code: Code.FAILED_PRECONDITION,
      reason: "IDEMPOTENCY_KEY_REUSED",
    });
    expect((await first).code).toBe(Code.OK);
  });

  it("an outcome that is not known yet", async () => {
    expectRefusal(await createPayment("unknown", { payment_method: "tok_drop_reply" }), {
      code: Code.UNAVAILABLE,
      reason: "OUTCOME_UNKNOWN",
      next: "retry_same_key",
    });
  });

  it("an answer past its retention is not given again, and the payment is found by its key", async () => {
    const { grpcAddress } = await cluster.addService({ IDEMPOTENCY_RETENTION_MS: "500" });
    const expiring = () =>
      callWithGrpcurl({
        address: grpcAddress,
        method: "CreatePayment",
        request: { ...PAYMENT, idempotency_key: "expired" },
      });
    const first = await expiring();
    await waitUntil(async () => (await expiring()).code !== Code.OK, STEP_LIMIT_MS);
    expectRefusal(await expiring(), {
      code: Code.FAILED_PRECONDITION,
      reason: "IDEMPOTENCY_KEY_EXPIRED",
      next: "look_up",
    });
    const found = await call("GetPayment", { idempotency_key: "expired" });
    expect(found.json).toEqual(first.json);
  });

  it("the store of record is away", async () => {
    const database = await createDatabase();
    const { grpcAddress } = await cluster.addService({ DATABASE_URL: database.url });
    const request = { ...PAYMENT, idempotency_key: "stored-before" };
    const at = { address: grpcAddress, method: "CreatePayment" };
    const first = await callWithGrpcurl({ ...at, request });
    await database.drop();

    const other = { ...PAYMENT, idempotency_key: "sent-after" };
    expectRefusal(await callWithGrpcurl({ ...at, request: other }), {
      code: Code.UNAVAILABLE,
      reason: "STORE_UNAVAILABLE",
      next: "retry_same_key",
    });
    const replay = await callWithGrpcurl({ ...at, request });
    expect(replay.json).toEqual(first.json); // Redis has it
  });

  describe("a request that cannot be meant", () => {
    const unit = (minor_units: string) => ({ amount: { currency_code: "EUR", minor_units } });

    it.each([
      { change: { amount: undefined }, reason: "AMOUNT_INVALID", field: "amount" },
      { change: unit("0"), reason: "AMOUNT_INVALID", field: "amount.minor_units" },
      { change: unit("-1"), reason: "AMOUNT_INVALID", field: "amount.minor_units" },
      { change: unit("1000000000000001"), reason: "AMOUNT_INVALID", field: "amount.minor_units" },
      {
        change: { amount: { currency_code: "DEM", minor_units: "1" } },
        reason: "CURRENCY_UNKNOWN",
        field: "amount.currency_code",
      },
      { change: { payment_method: "" }, reason: "FIELD_INVALID", field: "payment_method" },
      {
        change: { merchant_reference: "r".repeat(256) },
        reason: "FIELD_INVALID",
        field: "merchant_reference",
      },
      { change: { capture_method: 7 }, reason: "FIELD_INVALID", field: "capture_method" },
    ])("$change", async ({ change, reason, field }) => {
      const key = `invalid-${JSON.stringify(change).length}`;
      const refused = await createPayment(key, change);
      expectRefusal(refused, { code: Code.INVALID_ARGUMENT, reason, field });
      // Nothing was done, so the key is free for the request that was meant.
      expect(await createPayment(key)).toMatchObject({ code: Code.OK });
    });
  });

  describe("a payment that does not admit the operation", () => {
    const manual = { capture_method: "CAPTURE_METHOD_MANUAL" };
    let captured: string;
    let authorized: string;
    let declined: string;

    beforeAll(async () => {
      captured = paymentIdIn(await createPayment("captured"));
      authorized = paymentIdIn(await createPayment("authorized", manual));
      declined = paymentIdIn(await createPayment("declined", { payment_method: "tok_declined" }));
    });

    const amountOf = (minor_units: string, currency_code = "EUR") => ({
      amount: { currency_code, minor_units },
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
      const { first } = await beginSlowly("busy", manual);
      const processing = await call("GetPayment", { idempotency_key: "busy" });
      expect(processing.json).toMatchObject({ payment: { status: "PAYMENT_STATUS_PROCESSING" } });
      const payment_id = paymentIdIn(processing);
      const capture = () => call("CapturePayment", { payment_id }, "idempotency-key: busy-capture");
      expectRefusal(await capture(), {
        code: Code.ABORTED,
        reason: "PAYMENT_BUSY",
        next: "retry_same_key",
      });
      await first;
      expect(await capture()).toMatchObject({
        json: { payment: { status: "PAYMENT_STATUS_CAPTURED" } },
      });
    });
  });
});

/** Begins a payment that the processor lets wait; resolves once the processor has it. */
async function beginSlowly(key: string, change: object = {}) {
  const processorKey = processorKeyOfCall("CreatePayment", key);
  const delay = durationFromMs(PROCESSOR_DELAY_MS);
  await processor.arm({ action: FaultAction.DELAY_BEFORE, processorKey, delay });
  const first = createPayment(key, change);
  await waitUntil(async () => (await processor.callsOf(processorKey)) === 1n, STEP_LIMIT_MS);
  return { first };
}
