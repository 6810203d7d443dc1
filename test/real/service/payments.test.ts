import { create, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  CaptureMethod,
  type CreatePaymentRequest,
  CreatePaymentRequestSchema,
  type LedgerEntry,
  PaymentStatus,
} from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import { Code } from "../../../src/idempotency/answers/code.js";
import {
  answerOf,
  byKey,
  eur,
  isReplayed,
  openPayments,
  type PaymentsClient,
  paymentOf,
  refusalOf,
  untilAnswered,
} from "../../support/payments/payments-client.js";
import { createDatabase } from "../../support/servers/postgres.js";
import { type Cluster, startCluster } from "../../support/service/cluster.js";
import { post } from "../../support/service/http.js";
import { openProcessor, type Processor } from "../../support/service/processor.js";

const { AUTHORIZED, CANCELED, CAPTURED, DECLINED, PARTIALLY_CAPTURED } = PaymentStatus;
const MANUAL = { amount: eur(1_000n), captureMethod: CaptureMethod.MANUAL };

let cluster: Cluster;
let processor: Processor;
let payments: PaymentsClient;
let elsewhere: PaymentsClient;

beforeAll(async () => {
  cluster = await startCluster({ services: 0 });
  processor = openProcessor(cluster.sandbox.address);
  payments = openPayments((await cluster.addService()).grpcAddress);
  elsewhere = openPayments((await cluster.addService()).grpcAddress);
});

afterAll(async () => {
  for (const client of [payments, elsewhere, processor]) {
    client?.close();
  }
  await cluster?.stop();
});

async function authorize(key: string): Promise<string> {
  const { response } = await payments.createPayment(paymentOf("tok_visa", MANUAL), key);
  expect(response?.payment?.status).toBe(AUTHORIZED);
  return response?.payment?.id ?? "";
}

describe("a payment that is captured by hand", () => {
  let paymentId: string;

  beforeAll(async () => {
    paymentId = await authorize("by-hand");
  });

  it("is captured in two parts", async () => {
    const part = await payments.capturePayment({ paymentId, amount: eur(400n) }, "capture-1");
    expect(part.response?.payment).toMatchObject({
      status: PARTIALLY_CAPTURED,
      captured: eur(400n),
    });
    const rest = await elsewhere.capturePayment({ paymentId }, "capture-2");
    expect(rest.response?.payment).toMatchObject({
      status: CAPTURED,
      captured: eur(1_000n),
      version: 4n,
    });
  });

  it("is refunded twice, each time with a refund of its own", async () => {
    const part = await payments.refundPayment({ paymentId, amount: eur(300n) }, "refund-1");
    const rest = await elsewhere.refundPayment({ paymentId }, "refund-2");
    expect(part.response?.refund).toMatchObject({ paymentId, amount: eur(300n) });
    expect(rest.response?.refund).toMatchObject({ paymentId, amount: eur(700n) });
    expect(rest.response?.refund?.id).not.toBe(part.response?.refund?.id);
    expect(rest.response?.payment).toMatchObject({ status: CAPTURED, refunded: eur(1_000n) });
  });

  it("is read by its id and by its key", async () => {
    const byId = await payments.getPayment({ lookup: { case: "paymentId", value: paymentId } });
    expect(byId.response?.payment).toMatchObject({ id: paymentId, refunded: eur(1_000n) });
    expect((await elsewhere.getPayment(byKey("by-hand"))).response).toEqual(byId.response);
  });

  it("has its effects in the journal and as many bookings in the ledger, which sum to zero", async () => {
    const types = await processor.effectTypesOf(paymentId);
    expect(types).toEqual(["AUTHORIZE", "CAPTURE", "CAPTURE", "REFUND", "REFUND"]);
    const entries = await allEntriesOf(paymentId);
    const receivable = entries.filter(({ account }) => account === "processor_receivable");
    const amounts = receivable.map(({ amount }) => amount?.minorUnits);
    expect(amounts).toEqual([400n, 600n, -300n, -700n]);
    const sums = new Map<string, bigint>();
    for (const { transactionId, amount } of entries) {
      sums.set(transactionId, (sums.get(transactionId) ?? 0n) + (amount?.minorUnits ?? 0n));
    }
    expect([...sums.values()]).toEqual([0n, 0n, 0n, 0n]);
  });
});

it("a canceled payment gives the reservation up and is never captured", async () => {
  const paymentId = await authorize("to-cancel");
  const canceled = await payments.cancelPayment({ paymentId }, "cancel");
  expect(canceled.response?.payment).toMatchObject({ status: CANCELED, captured: eur(0n) });
  const capture = await elsewhere.capturePayment({ paymentId }, "capture-canceled");
  expect(refusalOf(capture)).toMatchObject({ reason: "PAYMENT_NOT_CAPTURABLE" });
  expect(await processor.effectTypesOf(paymentId)).toEqual(["AUTHORIZE", "VOID"]);
  expect(await allEntriesOf(paymentId)).toEqual([]);
});

it("of two captures for the last unit exactly one succeeds", async () => {
  const paymentId = await authorize("last-unit");
  await payments.capturePayment({ paymentId, amount: eur(999n) }, "all-but-one");
  const capture = (client: PaymentsClient, key: string) =>
    untilAnswered(() => client.capturePayment({ paymentId, amount: eur(1n) }, key));
  const results = await Promise.all([capture(payments, "one"), capture(elsewhere, "another")]);
  const answers = results.map(({ answer }) => answer);
  expect(answers.map(({ code }) => code).sort()).toEqual([Code.OK, Code.FAILED_PRECONDITION]);
  expect(await processor.effectTypesOf(paymentId)).toEqual(["AUTHORIZE", "CAPTURE", "CAPTURE"]);
  const { response } = await payments.getPayment(byKey("last-unit"));
  expect(response?.payment).toMatchObject({ status: CAPTURED, captured: eur(1_000n) });
});

describe("the list of payments", () => {
  const merchantReference = "listed";
  const ids: (string | undefined)[] = [];

  beforeAll(async () => {
    for (const token of ["tok_visa", "tok_declined", "tok_visa", "tok_visa", "tok_declined"]) {
      const request = paymentOf(token, { merchantReference });
      const { response } = await payments.createPayment(request, `listed-${ids.length}`);
      ids.unshift(response?.payment?.id);
    }
  });

  it("comes in pages, the newest first", async () => {
    const pages: (string[] | undefined)[] = [];
    let pageToken = "";
    do {
      const request = { merchantReference, pageSize: 2, pageToken };
      const { response } = await (pages.length % 2 ? payments : elsewhere).listPayments(request);
      pages.push(response?.payments.map(({ id }) => id));
      pageToken = response?.nextPageToken ?? "";
    } while (pageToken !== "");
    expect(pages.map((page) => page?.length)).toEqual([2, 2, 1]);
    expect(pages.flat()).toEqual(ids);
  });

  it("is filtered by status and reference", async () => {
    const declined = await payments.listPayments({ merchantReference, status: DECLINED });
    expect(declined.response?.payments.map(({ id }) => id)).toEqual([ids[0], ids[3]]);
    const others = await payments.listPayments({ merchantReference: "nobody's" });
    expect(others.response?.payments).toEqual([]);
  });

  it("refuses a page token under another filter", async () => {
    const { response } = await payments.listPayments({ merchantReference, pageSize: 2 });
    const pageToken = response?.nextPageToken ?? "";
    expect(refusalOf(await payments.listPayments({ pageSize: 2, pageToken }))).toMatchObject({
      code: Code.INVALID_ARGUMENT,
      reason: "FIELD_INVALID",
      field: "page_token",
    });
  });
});

it("the same call on an empty database makes the same payment and no second charge", async () => {
  const first = await payments.createPayment(paymentOf("tok_visa"), "restored");
  const database = await createDatabase();
  const service = await cluster.addService({ DATABASE_URL: database.url });
  const restored = openPayments(service.grpcAddress);
  const again = await restored.createPayment(paymentOf("tok_visa"), "restored");
  restored.close();
  await service.stop();
  await database.drop();
  expect(isReplayed(again)).toBe(false);
  expect(again.response?.payment).toMatchObject({
    id: first.response?.payment?.id ?? "none",
    status: CAPTURED,
  });
  expect(await processor.effectTypesOf(again.response?.payment?.id)).toEqual(["AUTHORIZE_CAPTURE"]);
});

describe("a request in another form", () => {
  it("a metadata map in another order is the same request", async () => {
    const requestOf = (metadata: Record<string, string>) =>
      create(CreatePaymentRequestSchema, paymentOf("tok_visa", { metadata }));
    const bytesOf = (request: CreatePaymentRequest) =>
      toBinary(CreatePaymentRequestSchema, request);
    const one = requestOf({ amy: "1", bob: "2" });
    const other = requestOf({ bob: "2", amy: "1" });
    expect(bytesOf(one)).not.toEqual(bytesOf(other));
    const first = await payments.createPayment(one, "map-order");
    const again = await elsewhere.createPayment(other, "map-order");
    expect(isReplayed(again)).toBe(true);
    expect(answerOf(again)).toEqual(answerOf(first));
  });

  it("JSON with a field that the schema does not have is refused, and the key stays free", async () => {
    const address = cluster.services[0]?.httpAddress ?? "";
    const amount = { currencyCode: "EUR", minorUnits: "1999" };
    const send = (request: object) =>
      post({ address, method: "CreatePayment", key: "json", body: JSON.stringify(request) });
    const refused = await send({ amount, paymentMethod: "tok_visa", amonut: amount });
    expect(refused.status).toBe(400);
    expect(JSON.parse(refused.text)).toMatchObject({
      code: "invalid_argument",
      message: expect.stringContaining("amonut"),
    });
    const meant = await send({ amount, paymentMethod: "tok_visa" });
    expect(JSON.parse(meant.text)).toMatchObject({
      payment: { status: "PAYMENT_STATUS_CAPTURED" },
    });
  });
});

async function allEntriesOf(paymentId: string): Promise<readonly LedgerEntry[]> {
  const { response } = await elsewhere.listLedgerEntries({ paymentId, pageSize: 1_000 });
  expect(response?.nextPageToken).toBe("");
  return response?.entries ?? [];
}
