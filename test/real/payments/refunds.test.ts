import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  CaptureMethod,
  ListPaymentsRequestSchema,
  ListPaymentsResponseSchema,
  ListRefundsRequestSchema,
  ListRefundsResponseSchema,
  PaymentService,
  RefundSchema,
  RefundStatus,
} from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import { refundIdOf } from "../../../src/payments/operation.js";
import { paymentMigrations } from "../../../src/payments/postgres/migrations.js";
import {
  approve,
  decline,
  type PaymentsUnderTest,
  readContext,
  refundRequest,
  scripted,
  startPayments,
} from "./support.js";

let payments: PaymentsUnderTest;
let service: ReturnType<PaymentsUnderTest["serve"]>;

const invalid = (field: string) => ({ description: { code: 3, reason: "FIELD_INVALID", field } });

describe("the list of refunds", () => {
  type Filter = MessageInitShape<typeof ListRefundsRequestSchema>;
  const page = async (filter: Filter, tenant = "acme") => {
    const request = create(ListRefundsRequestSchema, filter);
    return create(
      ListRefundsResponseSchema,
      await service.listRefunds(request, readContext(tenant)),
    );
  };
  const refund = async (key: string, paymentId: string, serving = service) => {
    const call = await payments.claim("RefundPayment", key);
    const { refund } = await serving.refundPayment(refundRequest(paymentId, 1n), call);
    return { id: refundIdOf(call.execution.scope), answer: refund };
  };
  const ids: string[] = [];
  let done: Awaited<ReturnType<typeof refund>>;
  let declined: string;
  let unknown: string;
  beforeAll(async () => {
    payments = await startPayments();
    service = payments.serve(scripted(approve));
    const captureMethod = CaptureMethod.AUTOMATIC;
    for (const key of ["zero", "one", "two"]) {
      ids.push(await payments.createPayment(key, { captureMethod }));
    }
    const [, first = "", second = ""] = ids;
    done = await refund("refund-1", first);
    await expect(refund("refund-2", second, payments.serve(scripted(decline)))).rejects.toThrow();
    await expect(
      refund(
        "refund-3",
        first,
        payments.serve(
          scripted(() => {
            throw new Error("no answer");
          }),
        ),
      ),
    ).rejects.toThrow();
    const named = (key: string) =>
      refundIdOf({
        tenant: "acme",
        operation: `${PaymentService.typeName}/RefundPayment`,
        key,
      });
    declined = named("refund-2");
    unknown = named("refund-3");
  });
  afterAll(() => payments?.stop());
  const idsOf = async (filter: Filter) => (await page(filter)).refunds.map(({ id }) => id);

  it("has those that succeeded, as their answers had them, and the others", async () => {
    const { refunds } = await page({});
    expect(refunds.map(({ id }) => id)).toEqual([unknown, declined, done.id]);
    expect(refunds[2]).toEqual(create(RefundSchema, done.answer));
    expect(refunds).toMatchObject([
      { status: RefundStatus.UNKNOWN, declineCode: "", amount: { minorUnits: 1n } },
      { status: RefundStatus.DECLINED, declineCode: "no_funds", paymentId: ids[2] },
      { status: RefundStatus.SUCCEEDED, paymentId: ids[1] },
    ]);
  });

  it("is narrowed by payment, status and time", async () => {
    const paymentId = ids[1] ?? "";
    expect(await idsOf({ paymentId })).toEqual([unknown, done.id]);
    expect(await idsOf({ status: RefundStatus.DECLINED })).toEqual([declined]);
    expect(await idsOf({ paymentId, status: RefundStatus.DECLINED })).toEqual([]);
    const { refunds } = await page({});
    const beginTime = refunds[0]?.beginTime;
    expect(await idsOf({ beginTimeFrom: beginTime })).toContain(unknown);
    expect(await idsOf({ beginTimeBefore: beginTime })).not.toContain(unknown);
  });

  it("comes in pages, whose tokens work with their own filters alone", async () => {
    const first = await page({ pageSize: 2 });
    const pageToken = first.nextPageToken;
    const second = await page({ pageSize: 2, pageToken });
    expect([...first.refunds, ...second.refunds].map(({ id }) => id)).toEqual([
      unknown,
      declined,
      done.id,
    ]);
    expect(second.nextPageToken).toBe("");
    for (const other of [{ status: RefundStatus.DECLINED }, { paymentId: ids[1] ?? "" }]) {
      await expect(page({ pageToken, ...other })).rejects.toMatchObject(invalid("page_token"));
    }
    const { nextPageToken: ofPayments } = create(
      ListPaymentsResponseSchema,
      await service.listPayments(
        create(ListPaymentsRequestSchema, { pageSize: 1 }),
        readContext("acme"),
      ),
    );
    await expect(page({ pageToken: ofPayments })).rejects.toMatchObject(invalid("page_token"));
  });

  it("is another tenant's own", async () => {
    expect((await page({}, "other")).refunds).toEqual([]);
  });

  it("knows the ids of refunds that older builds began, as long as their keys are there", async () => {
    const { pool } = payments;
    await pool.query("UPDATE operations SET refund_id = NULL");
    expect(await idsOf({})).toEqual(["", "", ""]);
    const backfill = paymentMigrations.find(({ name }) => name.endsWith("older-refunds"));
    await pool.query(backfill?.sql ?? "");
    // One that is under way is left to its owner.
    expect(await idsOf({})).toEqual(["", declined, done.id]);
  });
});
