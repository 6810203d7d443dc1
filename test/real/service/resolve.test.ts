import type { MessageInitShape } from "@bufbuild/protobuf";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  RecordState,
  type ResolveKeyRequestSchema,
} from "../../../src/gen/payonce/idempotency/v1/inspection_pb.js";
import { CaptureMethod, PaymentStatus } from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import { FaultAction } from "../../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import { Code } from "../../../src/idempotency/answers/code.js";
import {
  byKey,
  eur,
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

const SERVICE = "payonce.payments.v1.PaymentService";
const PARKED_LIMIT_MS = 30_000;

let cluster: Cluster;
let processor: Processor;
let payments: PaymentsClient;

beforeAll(async () => {
  cluster = await startCluster({
    services: 1,
    // A processor that forgets soon: after a few attempts nothing may be sent any more.
    env: {
      PROCESSOR_TIMEOUT_MS: "300",
      PROCESSOR_KEY_WINDOW_MS: "2s",
      RECOVERY_INTERVAL_MS: "100",
    },
  });
  processor = openProcessor(cluster.sandbox.address);
  payments = openPayments(cluster.targets()[0] ?? "");
});
afterAll(async () => {
  payments?.close();
  processor?.close();
  await cluster?.stop();
});

function nameOf(method: string, key: string) {
  return { operation: `${SERVICE}/${method}`, idempotencyKey: key };
}

/** What the service has logged of operators and a key. */
function linesAbout(key: string): readonly { readonly msg: string }[] {
  const lines = cluster.services.flatMap((service) => service.output().split("\n"));
  return lines
    .filter((line) => line.startsWith("{") && line.endsWith("}"))
    .map((line) => JSON.parse(line))
    .filter((line) => line.key === key && line.by !== undefined);
}

async function untilParked(method: string, key: string): Promise<bigint> {
  const read = () => payments.getRecord({ name: nameOf(method, key) });
  await waitUntil(
    async () => (await read()).response?.record?.state === RecordState.HELD,
    PARKED_LIMIT_MS,
  );
  return (await read()).response?.record?.fencingToken ?? 0n;
}

type Found = MessageInitShape<typeof ResolveKeyRequestSchema>["resolution"] & object;

async function resolve(method: string, key: string, resolution: Found) {
  const fencingToken = await untilParked(method, key);
  return payments.resolveKey({
    name: nameOf(method, key),
    fencingToken,
    reason: "asked the bank",
    resolution,
  });
}

const succeeded: Found = { case: "response", value: new Uint8Array() };
const failed: Found = { case: "error", value: { code: Code.FAILED_PRECONDITION } };
const notExecuted: Found = { case: "notExecuted", value: {} };

describe("a payment that is parked", () => {
  it("is listed with the reason, answers OUTCOME_UNKNOWN, and sends nothing more", async () => {
    const create = () => payments.createPayment(paymentOf("tok_never"), "parked");
    await create();
    await untilParked("CreatePayment", "parked");
    const told = await create();
    expect(refusalOf(told)).toMatchObject({ reason: "OUTCOME_UNKNOWN", next: "look_up" });
    expect(told.message).toContain("an operator has to find out");
    const { response } = await payments.listRecords({ state: RecordState.HELD });
    const record = response?.records.find(({ idempotencyKey }) => idempotencyKey === "parked");
    expect(record?.unknownReason).toMatch(/has no result/);
  });

  it("becomes captured when the operator found that it succeeded", async () => {
    const create = () => payments.createPayment(paymentOf("tok_never"), "succeeded");
    await create();
    const resolved = await resolve("CreatePayment", "succeeded", succeeded);
    expect(resolved.response?.record?.state).toBe(RecordState.COMPLETED);
    const { answer } = await untilAnswered(create);
    expect(answer.response?.payment?.status).toBe(PaymentStatus.CAPTURED);
    const { response } = await payments.getPayment(byKey("succeeded"));
    expect(response?.payment).toEqual(answer.response?.payment);
    const paymentId = response?.payment?.id ?? "";
    const entries = (await payments.listLedgerEntries({ paymentId })).response?.entries ?? [];
    expect(entries.map(({ amount }) => amount?.minorUnits)).toEqual([1_999n, -1_999n]);
  });

  it("stays held, and is not refused, where its payment lacks what it was executed on", async () => {
    const terms = { amount: eur(1_999n), captureMethod: CaptureMethod.AUTOMATIC };
    const created = await payments.createPayment(paymentOf("tok_visa", terms), "lacking");
    const paymentId = created.response?.payment?.id ?? "";
    const processorKey = processorKeyOfCall("RefundPayment", "lacking");
    await processor.arm({ action: FaultAction.DROP_BEFORE, count: 1_000, processorKey });
    const refund = () => payments.refundPayment({ paymentId }, "lacking");
    await refund();
    await untilParked("RefundPayment", "lacking");
    const pool = new pg.Pool({ connectionString: cluster.database.url });
    // The database is put back to where the payment was not captured yet.
    await pool.query("DELETE FROM operations WHERE payment_id = $1 AND kind = 'refund'", [
      paymentId,
    ]);
    const set = "UPDATE payments SET refunding = 0, status = $2, captured = $3 WHERE id = $1";
    await pool.query(set, [paymentId, "AUTHORIZED", 0]);
    const lacking = await resolve("RefundPayment", "lacking", succeeded);
    expect(refusalOf(lacking)).toMatchObject({ reason: "RECORD_CHANGED" });
    expect(lacking.message).toContain("cannot have begun");

    await pool.query(set, [paymentId, "CAPTURED", 1_999]);
    await pool.end();
    const resolved = await resolve("RefundPayment", "lacking", succeeded);
    expect(resolved.response?.record?.state).toBe(RecordState.COMPLETED);
    const { answer } = await untilAnswered(refund);
    expect(answer.response?.payment?.refunded).toMatchObject(eur(1_999n));
    await processor.arm();
  });

  it("becomes declined when the operator found that it failed", async () => {
    const create = () => payments.createPayment(paymentOf("tok_never"), "failed");
    await create();
    await resolve("CreatePayment", "failed", failed);
    const { answer } = await untilAnswered(create);
    expect(answer.response?.payment).toMatchObject({
      status: PaymentStatus.DECLINED,
      declineCode: "operator",
    });
  });

  it("is executed by the next call when the operator found that nothing happened", async () => {
    const key = "not-executed";
    const create = () => payments.createPayment(paymentOf("tok_visa"), key);
    const processorKey = processorKeyOfCall("CreatePayment", key);
    await processor.arm({ action: FaultAction.DROP_BEFORE, count: 1_000, processorKey });
    await create();
    const resolved = await resolve("CreatePayment", key, notExecuted);
    expect(resolved.response?.record?.state).toBe(RecordState.RELEASED);
    expect((await payments.getPayment(byKey(key))).response?.payment).toMatchObject({
      status: PaymentStatus.DECLINED,
      declineCode: "not_executed",
    });
    await processor.arm();
    const { answer } = await untilAnswered(create);
    expect(answer.response?.payment?.status).toBe(PaymentStatus.CAPTURED);
    expect(await processor.effectTypesOf(answer.response?.payment?.id)).toEqual([
      "AUTHORIZE_CAPTURE",
    ]);
  });

  it("gives back what a capture had reserved when the operator found that it failed", async () => {
    const terms = { captureMethod: CaptureMethod.MANUAL };
    const created = await payments.createPayment(paymentOf("tok_visa", terms), "manual");
    const paymentId = created.response?.payment?.id ?? "";
    await processor.arm({ action: FaultAction.NEVER, count: 1_000 });
    const capture = (key: string) =>
      payments.capturePayment({ paymentId, amount: eur(1_999n) }, key);
    await capture("capture-1");
    await resolve("CapturePayment", "capture-1", failed);
    await processor.arm();
    const { answer } = await untilAnswered(() => capture("capture-1"));
    expect(refusalOf(answer)).toMatchObject({ reason: "PAYMENT_NOT_CAPTURABLE" });
    const again = await capture("capture-2");
    expect(again.response?.payment?.status).toBe(PaymentStatus.CAPTURED);
  });

  it("leaves lines in the log: what was asked by whom, and then what came of it", async () => {
    await payments.createPayment(paymentOf("tok_never"), "logged");
    const fencingToken = await untilParked("CreatePayment", "logged");
    const ask = (token: bigint) =>
      payments.resolveKey({
        name: nameOf("CreatePayment", "logged"),
        fencingToken: token,
        reason: "asked the bank",
        resolution: failed,
      });
    await ask(fencingToken - 1n);
    await ask(fencingToken);
    await payments.resolveKey({ name: nameOf("CreatePayment", "logged"), fencingToken });

    const asked = {
      by: { tenant: "default", role: "operator" },
      tenant: "default",
      operation: `${SERVICE}/CreatePayment`,
      key: "logged",
      resolution: "error",
      reason: "asked the bank",
    };
    const stale = { ...asked, fencingToken: String(fencingToken - 1n) };
    const right = { ...asked, fencingToken: String(fencingToken) };
    const lines = () => linesAbout("logged");
    await expect.poll(lines).toHaveLength(6);
    expect(lines()).toMatchObject([
      { ...stale, msg: "an operator asks to end a key" },
      { ...stale, msg: expect.stringContaining("not ended"), refusal: "RECORD_CHANGED" },
      { ...right, msg: "an operator asks to end a key" },
      { ...right, msg: "the key was ended", state: "COMPLETED" },
      { reason: "", msg: "an operator asks to end a key" },
      { reason: "", msg: expect.stringContaining("not ended"), refusal: "FIELD_INVALID" },
    ]);
  });

  it("is not resolved under a fencing token that was read too early", async () => {
    await payments.createPayment(paymentOf("tok_never"), "stale");
    const fencingToken = (await untilParked("CreatePayment", "stale")) - 1n;
    const result = await payments.resolveKey({
      name: nameOf("CreatePayment", "stale"),
      fencingToken,
      reason: "mistaken",
      resolution: failed,
    });
    expect(refusalOf(result)).toMatchObject({ code: Code.ABORTED, reason: "RECORD_CHANGED" });
  });
});
