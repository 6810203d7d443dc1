import { setTimeout as sleep } from "node:timers/promises";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { PoolClient } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  CaptureMethod,
  type GetPaymentRequest,
  GetPaymentRequestSchema,
  ListLedgerEntriesRequestSchema,
  ListLedgerEntriesResponseSchema,
  ListPaymentsRequestSchema,
  ListPaymentsResponseSchema,
  PaymentStatus,
} from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import {
  approve,
  createRequest,
  decline,
  type PaymentsUnderTest,
  readContext,
  scripted,
  startPayments,
} from "./support.js";

let payments: PaymentsUnderTest;
let service: ReturnType<PaymentsUnderTest["serve"]>;
const ids: string[] = [];

beforeAll(async () => {
  payments = await startPayments();
  service = payments.serve(scripted(approve));
  for (let index = 0; index < 5; index += 1) {
    const merchantReference = index % 2 === 0 ? "even" : "";
    const captureMethod = CaptureMethod.AUTOMATIC;
    ids.unshift(await payments.createPayment(`key-${index}`, { merchantReference, captureMethod }));
  }
  const declined = await payments.claim("CreatePayment", "declined");
  const answer = await payments.serve(scripted(decline)).createPayment(createRequest(), declined);
  ids.unshift(answer.payment?.id ?? "");
});
afterAll(() => payments.stop());

const notFound = { description: { code: 5, reason: "PAYMENT_NOT_FOUND" } };
const invalid = (field: string) => ({ description: { code: 3, reason: "FIELD_INVALID", field } });

describe("a payment", () => {
  const get = async (lookup: GetPaymentRequest["lookup"], tenant = "acme") =>
    service.getPayment(create(GetPaymentRequestSchema, { lookup }), readContext(tenant));

  it("is found by its id and by the key that created it", async () => {
    const byId = await get({ case: "paymentId", value: ids[1] ?? "" });
    const byKey = await get({ case: "idempotencyKey", value: "key-4" });
    expect(byId.payment).toMatchObject({ id: ids[1], merchantReference: "even" });
    expect(byKey).toEqual(byId);
  });

  it("is not found by another tenant, by its id or by its key", async () => {
    const value = ids[1] ?? "";
    await expect(get({ case: "paymentId", value }, "other")).rejects.toMatchObject(notFound);
    await expect(get({ case: "idempotencyKey", value: "key-4" }, "other")).rejects.toMatchObject(
      notFound,
    );
  });

  it("is not found where there is none", async () => {
    await expect(get({ case: "paymentId", value: "pay_x" })).rejects.toMatchObject(notFound);
    await expect(get({ case: undefined })).rejects.toMatchObject(invalid("lookup"));
    await expect(get({ case: "paymentId", value: "\0" })).rejects.toMatchObject(
      invalid("payment_id"),
    );
  });
});

describe("the list of payments", () => {
  type Filter = MessageInitShape<typeof ListPaymentsRequestSchema>;
  const page = async (filter: Filter, tenant = "acme") => {
    const request = create(ListPaymentsRequestSchema, filter);
    const response = await service.listPayments(request, readContext(tenant));
    return create(ListPaymentsResponseSchema, response);
  };

  it("comes in pages, the newest first, each payment once", async () => {
    const seen: string[] = [];
    let pageToken = "";
    do {
      const response = await page({ pageSize: 4, pageToken });
      seen.push(...response.payments.map(({ id }) => id));
      pageToken = response.nextPageToken;
    } while (pageToken !== "");
    expect(seen).toEqual(ids);
  });

  it("is narrowed by merchant reference and status", async () => {
    const idsOf = async (filter: Filter) => (await page(filter)).payments.map(({ id }) => id);
    expect(await idsOf({ merchantReference: "even" })).toEqual([ids[1], ids[3], ids[5]]);
    expect(await idsOf({ status: PaymentStatus.DECLINED })).toEqual([ids[0]]);
    expect(await idsOf({ merchantReference: "even", status: PaymentStatus.DECLINED })).toEqual([]);
  });

  it("is narrowed by currency and amount", async () => {
    const idsOf = async (filter: Filter) => (await page(filter)).payments.map(({ id }) => id);
    expect(await idsOf({ currencyCode: "EUR" })).toEqual(ids);
    expect(await idsOf({ currencyCode: "CHF" })).toEqual([]);
    const eur = { currencyCode: "EUR" };
    expect(await idsOf({ ...eur, minMinorUnits: 1_000n, maxMinorUnits: 1_000n })).toEqual(ids);
    expect(await idsOf({ ...eur, minMinorUnits: 1_001n })).toEqual([]);
    expect(await idsOf({ ...eur, maxMinorUnits: 999n })).toEqual([]);
    expect(await idsOf({ ...eur, status: PaymentStatus.DECLINED })).toEqual([ids[0]]);
    expect(await idsOf({ ...eur, merchantReference: "even" })).toEqual([ids[1], ids[3], ids[5]]);
  });

  it("is narrowed by the time of creation: from it on, and before it", async () => {
    const { payments: all } = await page({});
    const third = all[2]?.createTime;
    const later = { createTimeFrom: third };
    const earlier = { createTimeBefore: third };
    const idsOf = async (filter: Filter) => (await page(filter)).payments.map(({ id }) => id);
    const times = all.map(({ createTime }) => createTime && timestampMs(createTime));
    const thirdMs = third && timestampMs(third);
    const kept = (keep: (ms: number, limitMs: number) => boolean) =>
      ids.filter((_, at) => keep(times[at] ?? Number.NaN, thirdMs ?? Number.NaN));
    expect(await idsOf(later)).toEqual(kept((ms, limitMs) => ms >= limitMs));
    expect(await idsOf(earlier)).toEqual(kept((ms, limitMs) => ms < limitMs));
    expect(await idsOf({ ...later, ...earlier })).toEqual([]);
    expect(await idsOf({ ...earlier, status: PaymentStatus.DECLINED })).toEqual([]);
  });

  it.each([
    [{ minMinorUnits: 1n }, "currency_code"],
    [{ maxMinorUnits: 1n }, "currency_code"],
    [{ currencyCode: "EUR", minMinorUnits: -1n }, "min_minor_units"],
    [{ currencyCode: "EUR", maxMinorUnits: 10n ** 15n + 1n }, "max_minor_units"],
    [{ createTimeFrom: { seconds: 2n ** 40n } }, "create_time_from"],
    [{ createTimeBefore: { nanos: -1 } }, "create_time_before"],
  ])("refuses %o by its field", async (filter, field) => {
    await expect(page(filter)).rejects.toMatchObject(invalid(field));
  });

  it("refuses a currency that nobody pays with", async () => {
    await expect(page({ currencyCode: "eur" })).rejects.toMatchObject({
      description: { reason: "CURRENCY_UNKNOWN", field: "currency_code" },
    });
  });

  it("refuses a token under other filters", async () => {
    const { nextPageToken: pageToken } = await page({ pageSize: 1 });
    await expect(page({ pageToken, merchantReference: "even" })).rejects.toMatchObject(
      invalid("page_token"),
    );
  });

  it("is another tenant's own", async () => {
    expect((await page({}, "other")).payments).toEqual([]);
    const { nextPageToken: pageToken } = await page({ pageSize: 1 });
    await expect(page({ pageToken }, "other")).rejects.toMatchObject(invalid("page_token"));
  });
});

describe("the ledger", () => {
  const page = async (
    filter: MessageInitShape<typeof ListLedgerEntriesRequestSchema>,
    tenant = "acme",
  ) => {
    const request = create(ListLedgerEntriesRequestSchema, filter);
    const response = await service.listLedgerEntries(request, readContext(tenant));
    return create(ListLedgerEntriesResponseSchema, response);
  };

  it("misses no entry that commits late: a page to read on from waits for it", async () => {
    const tenant = "late-commits";
    const book = async (client: Pick<PoolClient, "query">, name: string) => {
      await client.query(
        `INSERT INTO payments (tenant, id, currency_code, amount, payment_method, capture_method,
           merchant_reference, description, metadata, status, version, authorized, captured,
           capturing, refunded, refunding, canceling, decline_code)
         VALUES ($1, $2, 'EUR', 1, '', 'AUTOMATIC', '', '', '{}', 'CAPTURED', 1, 1, 1, 0, 0, 0, false, '')`,
        [tenant, name],
      );
      await client.query(
        `INSERT INTO operations (tenant, id, processor_key, payment_id, kind, minor_units, currency_code)
         VALUES ($1, $2, $2, $2, 'create', 1, 'EUR')`,
        [tenant, name],
      );
      await client.query(
        `INSERT INTO ledger_entries (tenant, transaction_id, payment_id, account, currency_code, minor_units)
         SELECT $1, $2, $2, account, 'EUR', minor_units
         FROM (VALUES ('processor_receivable', 1), ('merchant_payable', -1)) AS e (account, minor_units)`,
        [tenant, name],
      );
    };
    const client = await payments.pool.connect();
    try {
      await client.query("BEGIN");
      await book(client, "early");
      await book(payments.pool, "late");
      const reading = page({ pageSize: 1 }, tenant);
      await expect(Promise.race([reading, sleep(500, "waits")])).resolves.toBe("waits");
      await client.query("COMMIT");
      const seen = [];
      let response = await reading;
      while (true) {
        seen.push(...response.entries.map(({ paymentId }) => paymentId));
        if (response.nextPageToken === "") {
          break;
        }
        response = await page({ pageSize: 1, pageToken: response.nextPageToken }, tenant);
      }
      expect(seen).toEqual(["early", "early", "late", "late"]);
    } finally {
      client.release(true);
    }
  });

  it("comes in pages, in the order it was written", async () => {
    const first = await page({ pageSize: 7 });
    const second = await page({ pageSize: 7, pageToken: first.nextPageToken });
    expect(second.nextPageToken).toBe("");
    const paymentIds = [...first.entries, ...second.entries].map(({ paymentId }) => paymentId);
    const oldestFirst = ids.slice(1).reverse();
    expect(paymentIds).toEqual(oldestFirst.flatMap((id) => [id, id]));
  });

  it("is narrowed by payment", async () => {
    const { entries } = await page({ paymentId: ids[1] ?? "" });
    expect(entries).toMatchObject([
      { account: "processor_receivable", amount: { currencyCode: "EUR", minorUnits: 1000n } },
      { account: "merchant_payable", amount: { currencyCode: "EUR", minorUnits: -1000n } },
    ]);
    expect(entries[0]?.transactionId).toMatch(/^op_[0-9a-f]{40}$/);
  });

  it("is another tenant's own", async () => {
    expect((await page({ paymentId: ids[1] ?? "" }, "other")).entries).toEqual([]);
  });
});

it("a write without a key is refused", async () => {
  await expect(service.createPayment(createRequest(), readContext("acme"))).rejects.toMatchObject({
    description: { reason: "IDEMPOTENCY_KEY_MISSING" },
  });
});
