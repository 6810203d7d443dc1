import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  CaptureMethod,
  GetPaymentRequestSchema,
  ListLedgerEntriesRequestSchema,
  ListPaymentsRequestSchema,
  ListRefundsRequestSchema,
  PaymentStatus,
  RefundStatus,
  StreamPaymentEventsRequestSchema,
} from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import { encodeOutcome, okOutcome } from "../../../src/idempotency/port/outcome.js";
import { refundIdOf } from "../../../src/payments/operation.js";
import { lookAtPayments } from "../../../src/payments/watch.js";
import { collectScans, type Scan, tellPlans } from "../../support/servers/executed-plans.js";
import {
  approve,
  cancelRequest,
  captureRequest,
  createRequest,
  type PaymentsUnderTest,
  readContext,
  refundRequest,
  type Script,
  scripted,
  startPayments,
} from "./support.js";

const ROWS = 20_000;

/** The most rows that a statement reads of a table: a page and one more, or what a few calls are about. */
const FEW = 20;

/** The most rows that are looked at at once where no index finds what is asked for. */
const LOOKED_AT = 1_001;

const TABLES = [
  "payments",
  "operations",
  "ledger_entries",
  "payment_events",
  "idempotency_records",
];

/** The indexes of what waits. */
const WAITING = ["payments_to_look_at", "operations_in_action"];

const APPROVED = { kind: "approved" } as const;

/** What Postgres knows of the tables that it plans for. */
type Known = "nothing" | "that they were empty" | "how they are";

describe.each([
  ["one tenant", "nothing"],
  ["one tenant", "that they were empty"],
  ["one tenant", "how they are"],
  ["many tenants", "nothing"],
  ["many tenants", "that they were empty"],
  ["many tenants", "how they are"],
] as const)("among the rows of %s, where Postgres knows %s", (tenants, known) => {
  const scans = collectScans(TABLES);
  let payments: PaymentsUnderTest;
  let service: ReturnType<PaymentsUnderTest["serve"]>;

  beforeAll(async () => {
    payments = await startPayments({ prepare: tellPlans, onConnect: scans.listen });
    service = payments.serve(scripted(approve));
    await fill(payments, tenants, known);
    scans.take();
  }, 120_000);
  afterAll(() => payments?.stop());

  /** What a piece of work reads of the tables. */
  const scansOf = async (work: () => Promise<unknown>): Promise<readonly Scan[]> => {
    scans.take();
    await work();
    const made = scans.take();
    expect(made.length).toBeGreaterThan(0);
    return made;
  };

  const expectIndexes = (made: readonly Scan[], allowed: readonly string[], rows = FEW) => {
    for (const scan of made) {
      expect(allowed, JSON.stringify(scan)).toContain(scan.index);
      expect(scan.rows, JSON.stringify(scan)).toBeLessThanOrEqual(rows);
    }
  };

  it("looks up by primary keys alone what payments read", async () => {
    const made = await scansOf(async () => {
      for (let round = 0; round < 8; round += 1) {
        const ids = await Promise.all(
          [1, 2, 3].map((at) => payments.createPayment(`plan-${round}-${at}`)),
        );
        const [first = "", second = ""] = ids;
        const capture = await payments.claim("CapturePayment", `capture-${round}`);
        await service.capturePayment(captureRequest(first, 600n), capture);
        const refund = await payments.claim("RefundPayment", `refund-${round}`);
        const refunded = await service.refundPayment(refundRequest(first, 100n), refund);
        expect(refunded.refund?.id).toBe(refundIdOf(refund.execution.scope));
        const cancel = await payments.claim("CancelPayment", `cancel-${round}`);
        await service.cancelPayment(cancelRequest(second), cancel);
        expect(await payments.storedOutcome(cancel)).toBeDefined();
      }
    });
    expectIndexes(
      made,
      TABLES.map((table) => `${table}_pkey`),
    );
  });

  it("looks up by primary keys alone what a call reads that goes on after its owner", async () => {
    const first = await payments.claim("CreatePayment", "lost");
    const made = await scansOf(async () => {
      const again = await payments.takeOver(first);
      await service.createPayment(createRequest(), again);
    });
    expectIndexes(made, [
      ...TABLES.map((table) => `${table}_pkey`),
      "idempotency_records_lease",
      "idempotency_records_expiry",
    ]);
  });

  it("finds the payments that wait by their own indexes, and reads no others", async () => {
    const waits: Script = async () => ({ kind: "requires_action", nextAction: {} });
    const acted = { ...scripted(approve), lookUp: async () => ({ decision: APPROVED }) };
    const made = await scansOf(async () => {
      for (const key of ["waits-1", "waits-2", "waits-3"]) {
        const context = await payments.claim("CreatePayment", key);
        await payments
          .serve(scripted(waits), { actionTimeoutMs: 1 })
          .createPayment(createRequest(), context);
      }
      const options = { pool: payments.pool, processor: acted };
      await lookAtPayments(options, new AbortController().signal);
    });
    const indexes = [...TABLES.map((table) => `${table}_pkey`), ...WAITING];
    expectIndexes(made, indexes);
    for (const index of WAITING) {
      expect(made.map((scan) => scan.index)).toContain(index);
    }
  });

  const acme = readContext("acme");

  it("finds a payment by its id", async () => {
    const id = await payments.createPayment("found");
    const lookup = { case: "paymentId" as const, value: id };
    const made = await scansOf(() =>
      service.getPayment(create(GetPaymentRequestSchema, { lookup }), acme),
    );
    expectIndexes(made, ["payments_pkey"], 1);
  });

  it.each([
    ["all", {}, "payments_newest"],
    ["a status", { status: PaymentStatus.CAPTURED }, "payments_of_status"],
    ["a rare status", { status: PaymentStatus.CANCELED }, "payments_of_status"],
    ["a reference", { merchantReference: "rare" }, "payments_of_reference"],
    ["no reference that is there", { merchantReference: "none" }, "payments_of_reference"],
  ] as const)("lists %s of the payments by an index", async (_, filter, index) => {
    const list = (pageToken: string) =>
      service.listPayments(
        create(ListPaymentsRequestSchema, { ...filter, pageSize: 10, pageToken }),
        acme,
      );
    const made = await scansOf(async () => {
      const { nextPageToken = "" } = await list("");
      if (nextPageToken !== "") {
        await list(nextPageToken);
      }
    });
    expectIndexes(made, [index]);
  });

  const EVERY_AMOUNT = { currencyCode: "EUR", minMinorUnits: 1n };
  const at = (daysAgo: number) => timestampFromMs(Date.now() - daysAgo * 86_400_000);
  it.each([
    ["a time", { createTimeFrom: at(8), createTimeBefore: at(7) }, "payments_newest", FEW],
    ["a rare currency", { currencyCode: "CHF" }, "payments_of_amount", FEW],
    ["no currency that is there", { currencyCode: "JPY" }, "payments_of_amount", FEW],
    [
      "a rare amount",
      { currencyCode: "EUR", minMinorUnits: 70n, maxMinorUnits: 80n },
      "payments_of_amount",
      FEW,
    ],
  ] as const)("lists payments of %s by an index", async (_, filter, index, rows) => {
    const request = create(ListPaymentsRequestSchema, { ...filter, pageSize: 10 });
    expectIndexes(await scansOf(() => service.listPayments(request, acme)), [index], rows);
  });

  it.each([
    ["of usual amounts", EVERY_AMOUNT, "payments_newest"],
    [
      "of usual amounts and a status",
      { ...EVERY_AMOUNT, status: PaymentStatus.CAPTURED },
      "payments_of_status",
    ],
    [
      "of a reference and a status",
      { merchantReference: "usual", status: PaymentStatus.CAPTURED },
      "payments_of_reference",
    ],
  ] as const)("lists payments %s among as many as a page may cost", async (_, filter, index) => {
    const request = create(ListPaymentsRequestSchema, { ...filter, pageSize: 10 });
    const list = async () => {
      const { payments: found } = await service.listPayments(request, acme);
      expect(found).toHaveLength(10);
    };
    const made = await scansOf(list);
    expectIndexes(made, [index, "payments_of_amount"], LOOKED_AT);
    expect(made.length).toBeLessThanOrEqual(2);
  });

  it("looks at so many payments at once, and comes to the end", async () => {
    const filter = { merchantReference: "usual", status: PaymentStatus.DECLINED, pageSize: 10 };
    let pages = 0;
    const made = await scansOf(async () => {
      let pageToken = "";
      do {
        const request = create(ListPaymentsRequestSchema, { ...filter, pageToken });
        const page = await service.listPayments(request, acme);
        expect(page.payments).toEqual([]);
        pageToken = page.nextPageToken ?? "";
        pages += 1;
      } while (pageToken !== "");
    });
    expectIndexes(made, ["payments_of_reference"], LOOKED_AT);
    expect(pages).toBeLessThanOrEqual(2);
    expect(made.length).toBeGreaterThan(1);
  });

  it.each([
    ["all", {}, "refunds_newest"],
    ["a status", { status: RefundStatus.SUCCEEDED }, "refunds_of_state"],
    ["a rare status", { status: RefundStatus.DECLINED }, "refunds_of_state"],
    ["a payment", { paymentId: `pay_${"0".repeat(38)}10` }, "refunds_of_payment"],
    ["a time", { beginTimeFrom: at(8), beginTimeBefore: at(7) }, "refunds_newest"],
  ] as const)("lists %s of the refunds by an index", async (_, filter, index) => {
    const request = create(ListRefundsRequestSchema, { ...filter, pageSize: 10 });
    expectIndexes(await scansOf(() => service.listRefunds(request, acme)), [index]);
  });

  it.each([
    ["all", {}, ["idempotency_records_of_tenant"]],
    ["a state", { state: "completed" }, ["idempotency_records_of_tenant"]],
    [
      "a rare state",
      { state: "held" },
      ["idempotency_records_of_state", "idempotency_records_lease"],
    ],
    ["a rare state", { state: "expired" }, ["idempotency_records_of_state"]],
    ["an operation", { operation: "operation" }, ["idempotency_records_of_tenant"]],
  ] as const)("lists %s of the records by an index", async (_, filter, indexes) => {
    const made = await scansOf(async () => {
      const { records } = await payments.store.list({ ...filter, tenant: "acme", pageSize: 10 });
      expect(records.length).toBeLessThanOrEqual(10);
    });
    const isBounded = "operation" in filter || ("state" in filter && filter.state === "completed");
    expectIndexes(made, [...indexes, "idempotency_records_pkey"], isBounded ? 10_000 : FEW);
  });

  it("finds a record and its events by their key", async () => {
    const scope = { tenant: "acme", operation: "operation", key: "key" };
    const made = await scansOf(() => payments.store.get(scope));
    expectIndexes(made, ["idempotency_records_pkey"], 1);
  });

  it("lists ledger entries and events by their ids, and a payment's by their payment", async () => {
    const paymentId = await payments.createPayment("listed", {
      captureMethod: CaptureMethod.AUTOMATIC,
    });
    const entries = (of: { readonly paymentId?: string }) =>
      service.listLedgerEntries(
        create(ListLedgerEntriesRequestSchema, { ...of, pageSize: 10 }),
        acme,
      );
    const firstEvent = async (of: { readonly paymentId?: string }) => {
      const request = create(StreamPaymentEventsRequestSchema, of);
      const { value } = await service
        .streamPaymentEvents(request, acme)
        [Symbol.asyncIterator]()
        .next();
      return value;
    };
    expectIndexes(await scansOf(() => entries({})), ["ledger_entries_pkey"]);
    expectIndexes(await scansOf(() => entries({ paymentId })), ["ledger_entries_of_payment"]);
    expectIndexes(await scansOf(() => firstEvent({})), ["payment_events_pkey"], 100);
    expectIndexes(await scansOf(() => firstEvent({ paymentId })), ["payment_events_of_payment"]);
  });
});

async function fill(
  { pool }: PaymentsUnderTest,
  tenants: "one tenant" | "many tenants",
  known: Known,
): Promise<void> {
  for (const table of TABLES) {
    await pool.query(`ALTER TABLE ${table} SET (autovacuum_enabled = false)`);
    if (known === "that they were empty") {
      await pool.query(`ANALYZE ${table}`);
    }
  }
  const tenant =
    tenants === "one tenant"
      ? "'acme'"
      : "CASE WHEN n % 10 = 0 THEN 'acme' ELSE 'tenant-' || n END";
  const numbers = `(SELECT n, ${tenant} AS tenant, 'pay_' || lpad(n::text, 40, '0') AS payment_id,
     clock_timestamp() - n * interval '1 minute' AS time FROM generate_series(1, ${ROWS}) AS n) AS made`;
  await pool.query(`INSERT INTO payments (tenant, id, currency_code, amount, payment_method, capture_method,
      merchant_reference, description, metadata, status, version, authorized, captured, capturing,
      refunded, refunding, canceling, decline_code, create_time)
    SELECT tenant, payment_id, CASE WHEN n % 5000 = 0 THEN 'CHF' ELSE 'EUR' END,
      CASE WHEN n % 5000 = 0 THEN 77 ELSE 100 END, '', 'AUTOMATIC',
      CASE WHEN n % 5000 = 0 THEN 'rare' WHEN n % 2 = 0 THEN 'usual' ELSE '' END, '', '{}',
      CASE WHEN n % 5000 = 0 THEN 'CANCELED' ELSE 'CAPTURED' END, 1, 0, 0, 0, 0, 0, false, '', time
    FROM ${numbers}`);
  const operations = (kind: string, every: number) =>
    pool.query(`INSERT INTO operations (tenant, id, processor_key, payment_id, kind, minor_units,
        currency_code, begin_time, state, finish_time)
      SELECT tenant, '${kind}_' || n, '', payment_id, '${kind}', 1, 'EUR', time,
        CASE WHEN n % 5000 = 0 THEN 'declined' ELSE 'approved' END, time
      FROM ${numbers} WHERE n % ${every} = 0`);
  await operations("create", 1);
  await operations("refund", 2);
  await pool.query(`INSERT INTO ledger_entries
      (tenant, transaction_id, payment_id, account, currency_code, minor_units)
    SELECT tenant, 'create_' || n, payment_id, account, 'EUR', units
    FROM ${numbers}, (VALUES ('processor_receivable', 1), ('merchant_payable', -1)) AS e (account, units)`);
  await pool.query(`INSERT INTO payment_events (tenant, payment_id, version, payment)
    SELECT tenant, payment_id, 1, '' FROM ${numbers}`);
  await pool.query(
    `INSERT INTO idempotency_records (tenant, scope_hash, operation, idempotency_key, state,
        fingerprint_version, fingerprint, raw_hash, fencing_token, claim_id, attempts, on_lost_owner,
        lease_until, create_time, complete_time, expire_time, outcome)
      SELECT tenant, sha256(n::text::bytea), 'operation', 'key-' || n,
        CASE WHEN n % 5000 = 0 THEN 'held' ELSE 'completed' END, 1, '', '', n, gen_random_uuid(), 1,
        'rerun', time, time, time, time + interval '3650 days',
        CASE WHEN n % 5000 = 0 THEN NULL ELSE $1::bytea END
      FROM ${numbers}`,
    [encodeOutcome(okOutcome(new Uint8Array()))],
  );
  if (known === "how they are") {
    await pool.query(`ANALYZE ${TABLES.join(", ")}`);
  }
}
