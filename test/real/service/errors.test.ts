import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Code } from "../../../src/idempotency/answers/code.js";
import { GRPCURL_BUILD_LIMIT_MS, grpcurl, grpcurlAvailable } from "../../support/grpcurl.js";
import { createDatabase } from "../../support/servers/postgres.js";
import { type Cluster, startCluster } from "../../support/service/cluster.js";
import {
  callWithGrpcurl,
  expectRefusal,
  PAYMENT,
  type Shown,
} from "../../support/service/grpcurl-call.js";
import { openProcessor, type Processor } from "../../support/service/processor.js";
import { waitUntil } from "../../support/service/service-process.js";
import { beginWaitingPayment } from "../../support/service/waiting-payment.js";

/** How long the processor keeps a call under way, so that others meet it. */
const PROCESSOR_DELAY_MS = 3_000;

/** Until a short retention is over, on a busy machine too. */
const EXPIRY_LIMIT_MS = 20_000;

const LONGEST_KEY = "k".repeat(255);

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
    const health = await grpcurl(["-plaintext", address, "grpc.health.v1.Health/Check"]);
    expect(health.stdout).toContain("SERVING");
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

    it.each([
      { what: "of 256 characters", key: `${LONGEST_KEY}k` },
      { what: "with a space", key: "order 1" },
      { what: "with a control character", key: "order\u00011" },
      { what: "with a line break", key: "order\n1" },
      { what: "beyond ASCII", key: "örder-1" },
    ])("$what in the field is malformed", async ({ key }) => {
      expectRefusal(await call("CreatePayment", { ...PAYMENT, idempotency_key: key }), {
        code: Code.INVALID_ARGUMENT,
        reason: "IDEMPOTENCY_KEY_INVALID",
        field: "idempotency_key",
      });
    });

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
    const key = "in-progress";
    const send = () => createPayment(key);
    const delayMs = PROCESSOR_DELAY_MS;
    const { result } = await beginWaitingPayment({ processor, key, delayMs, send });
    expectRefusal(await send(), {
      code: Code.ABORTED,
      reason: "REQUEST_IN_PROGRESS",
      next: "retry_same_key",
    });
    expectRefusal(await createPayment(key, { payment_method: "tok_declined" }), {
      code: Code.FAILED_PRECONDITION,
      reason: "IDEMPOTENCY_KEY_REUSED",
    });
    expect((await result).code).toBe(Code.OK);
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
    await waitUntil(async () => (await expiring()).code !== Code.OK, EXPIRY_LIMIT_MS);
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
    const unavailable = {
      code: Code.UNAVAILABLE,
      reason: "STORE_UNAVAILABLE",
      next: "retry_same_key",
    } as const;
    expectRefusal(await callWithGrpcurl({ ...at, request: other }), unavailable);
    const lookUp = { address: grpcAddress, method: "GetPayment" };
    expectRefusal(
      await callWithGrpcurl({ ...lookUp, request: { idempotency_key: "stored-before" } }),
      unavailable,
    );
    const replay = await callWithGrpcurl({ ...at, request });
    expect(replay.json).toEqual(first.json); // Redis has it
  });
});
