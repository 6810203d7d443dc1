import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Code } from "../../../src/idempotency/answers/code.js";
import { pageTokenOf } from "../../../src/runtime/paging.js";
import {
  openPayments,
  type PaymentsClient,
  paymentOf,
  refusalOf,
} from "../../support/payments/payments-client.js";
import { type Cluster, startCluster } from "../../support/service/cluster.js";

const OPERATION = "payonce.payments.v1.PaymentService/CreatePayment";
const NUL = "a\0b";

/** Any number may come over the wire where the schema says an enum. */
const OUTSIDE_THE_ENUM: number = 99;

let cluster: Cluster;
let client: PaymentsClient;

beforeAll(async () => {
  cluster = await startCluster({ services: 1, redisNodes: 0 });
  client = openPayments(cluster.targets()[0] ?? "");
  await client.createPayment(paymentOf("tok_visa"), "inspected");
});
afterAll(async () => {
  client?.close();
  await cluster?.stop();
});

const refusedFor = (field: string) => ({
  code: Code.INVALID_ARGUMENT,
  reason: "FIELD_INVALID",
  field,
});

describe("what an operator asks that nobody can store", () => {
  it.each([
    ["state", { state: OUTSIDE_THE_ENUM }],
    ["operation", { operation: NUL }],
    ["page_token", { pageToken: NUL }],
    ["page_token", { pageToken: pageToken("9999-99-99T99:99:99Z") }],
    ["page_token", { pageToken: pageToken("2026-02-30T00:00:00Z") }],
    ["page_token", { pageToken: pageToken("2026-02-20T...Z") }],
  ])("ListRecords names %s", async (field, request) => {
    expect(refusalOf(await client.listRecords(request))).toMatchObject(refusedFor(field));
  });

  it("ListRecords refuses a token under other filters", async () => {
    await client.createPayment(paymentOf("tok_visa"), "inspected-too");
    const { response } = await client.listRecords({ pageSize: 1 });
    const pageToken = response?.nextPageToken ?? "";
    const refused = await client.listRecords({ pageSize: 1, pageToken, operation: OPERATION });
    expect(refusalOf(refused)).toMatchObject(refusedFor("page_token"));
    const next = await client.listRecords({ pageSize: 1, pageToken });
    expect(next.response?.records.map(({ idempotencyKey }) => idempotencyKey)).toEqual([
      "inspected",
    ]);
  });

  it.each([
    ["name.operation", { operation: NUL, idempotencyKey: "inspected" }],
    ["name.idempotency_key", { operation: OPERATION, idempotencyKey: NUL }],
  ])("GetRecord and ResolveKey name %s", async (field, name) => {
    expect(refusalOf(await client.getRecord({ name }))).toMatchObject(refusedFor(field));
    const resolved = await client.resolveKey({
      name,
      reason: "Ada",
      resolution: { case: "notExecuted", value: {} },
    });
    expect(refusalOf(resolved)).toMatchObject(refusedFor(field));
  });

  it("ResolveKey names the reason and the error's message", async () => {
    const name = { operation: OPERATION, idempotencyKey: "inspected" };
    const withReason = await client.resolveKey({
      name,
      reason: NUL,
      resolution: { case: "notExecuted", value: {} },
    });
    expect(refusalOf(withReason)).toMatchObject(refusedFor("reason"));
    const withMessage = await client.resolveKey({
      name,
      reason: "Ada",
      resolution: { case: "error", value: { code: Code.FAILED_PRECONDITION, message: NUL } },
    });
    expect(refusalOf(withMessage)).toMatchObject(refusedFor("error.message"));
  });
});

/** A token of the right filter, with a place in it that no record has. */
function pageToken(time: string): string {
  const place = Buffer.from(`${time} ${"0".repeat(64)}`).toString("base64url");
  return pageTokenOf(place, ["records", "default", "", ""]);
}
