import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CaptureMethod } from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import { entriesOf, type PaymentsUnderTest, startPayments } from "./support.js";

let payments: PaymentsUnderTest;
/** Captured, with its two entries. */
let paymentId: string;
/** Authorized, with none. */
let unbookedId: string;
beforeAll(async () => {
  payments = await startPayments();
  paymentId = await payments.createPayment("one", { captureMethod: CaptureMethod.AUTOMATIC });
  unbookedId = await payments.createPayment("two");
});
afterAll(() => payments.stop());

describe("the ledger, whoever writes", () => {
  it.each([
    "UPDATE ledger_entries SET minor_units = 1",
    "DELETE FROM ledger_entries",
    "TRUNCATE ledger_entries",
    "TRUNCATE payments CASCADE",
  ])("refuses %s", async (statement) => {
    await expect(payments.pool.query(statement)).rejects.toThrow(
      "ledger entries are never changed",
    );
    expect(await entriesOf(payments.pool, paymentId)).toHaveLength(2);
  });

  const insert = (id: string, values: string) =>
    payments.pool.query(
      `INSERT INTO ledger_entries
         (tenant, transaction_id, payment_id, account, currency_code, minor_units)
       SELECT tenant, id, payment_id, account, currency, units
       FROM operations, (VALUES ${values}) AS entry (account, currency, units)
       WHERE payment_id = $1`,
      [id],
    );

  it.each([
    "('merchant_payable', 'EUR', 1)",
    "('processor_receivable', 'EUR', 2), ('merchant_payable', 'EUR', -1)",
    "('processor_receivable', 'EUR', 1), ('merchant_payable', 'USD', -1)",
  ])("refuses entries that do not balance: %s", async (values) => {
    await expect(insert(unbookedId, values)).rejects.toThrow("must sum to zero in each currency");
  });

  it("refuses to book an operation twice", async () => {
    const again = insert(
      paymentId,
      "('processor_receivable', 'EUR', 1000), ('merchant_payable', 'EUR', -1000)",
    );
    await expect(again).rejects.toThrow("duplicate key");
  });
});

describe("a payment, whoever writes", () => {
  it.each([
    "captured = 1001",
    "capturing = 1",
    "refunded = 1001",
    "refunded = 600, refunding = 401",
    "refunded = -1",
    "authorized = 1001",
    "canceling = true",
    "status = 'LOST'",
  ])("never has %s", async (change) => {
    await expect(
      payments.pool.query(`UPDATE payments SET ${change} WHERE id = $1`, [paymentId]),
    ).rejects.toThrow("violates check constraint");
  });
});

it("every primary key begins with the tenant", async () => {
  const names = [
    ...["ledger_entries", "operations", "payment_events", "payments"],
    ...["webhook_dead_letters", "webhook_endpoints", "webhook_queues"],
  ];
  const { rows } = await payments.pool.query(
    `SELECT c.relname AS name, a.attname AS first
     FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
       JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
     WHERE i.indisprimary AND c.relname = ANY ($1)
     ORDER BY name`,
    [names],
  );
  expect(rows).toEqual(names.map((name) => ({ name, first: "tenant" })));
});
