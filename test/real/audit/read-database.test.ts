import { afterEach, expect, it } from "vitest";
import { readDatabase } from "../../../src/audit/read-database.js";
import { paymentMigrations } from "../../../src/payments/postgres/migrations.js";
import {
  idempotencyMigrations,
  migrate,
  openDatabase,
} from "../../../src/stores/postgres/index.js";
import { createDatabase } from "../../support/servers/postgres.js";

/** More than two batches, the last one not full. */
const ROWS = 1_201;

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) {
    await close();
  }
});

async function openMigrated() {
  const database = await createDatabase();
  closers.push(() => database.drop());
  const pool = openDatabase(database.url, () => {});
  closers.push(() => pool.end());
  await migrate(pool, [...idempotencyMigrations, ...paymentMigrations]);
  return pool;
}

it("reads every row of every table once, of all tenants", async () => {
  const pool = await openMigrated();
  // Two tenants with the same ids: a batch may end between them.
  const rows = `generate_series(1, ${ROWS}) AS number, unnest(ARRAY['acme', 'globex']) AS tenant`;
  await pool.query(`
    INSERT INTO payments (tenant, id, currency_code, amount, payment_method, capture_method,
      merchant_reference, description, metadata, status, version, authorized, captured, capturing,
      refunded, refunding, canceling, decline_code)
    SELECT tenant, 'pay_' || number, 'EUR', number, 'tok_visa', 'MANUAL', '', '', '{}',
      'PROCESSING', 1, 0, 0, 0, 0, 0, false, '' FROM ${rows};
    INSERT INTO operations (tenant, id, processor_key, payment_id, kind, minor_units, currency_code)
    SELECT tenant, 'op_' || number, 'pk_' || number, 'pay_' || number, 'create', number, 'EUR'
    FROM ${rows};
    INSERT INTO ledger_entries
      (tenant, transaction_id, payment_id, account, currency_code, minor_units)
    SELECT tenant, 'op_' || number, 'pay_' || number, account, 'EUR', minor_units
    FROM ${rows}, (VALUES ('processor_receivable', 1), ('merchant_payable', -1))
      AS booking (account, minor_units);
    INSERT INTO payment_events (tenant, payment_id, version, payment)
    SELECT tenant, 'pay_' || number, 1, '\\xff' FROM ${rows};
    INSERT INTO idempotency_records (tenant, scope_hash, operation, idempotency_key, state,
      fingerprint_version, fingerprint, raw_hash, fencing_token, claim_id, attempts, on_lost_owner,
      lease_until, outcome)
    SELECT tenant, sha256(number::text::bytea), 'orders.v1.Orders/Create', number::text,
      'completed', 1, '', '', number, gen_random_uuid(), 1, 'hold', now(), '\\xff' FROM ${rows};`);

  const { payments, operations, entries, events, records } = await readDatabase(pool);
  const names = {
    payments: payments.map(({ tenant, id }) => `${tenant} ${id}`),
    operations: operations.map(({ tenant, id }) => `${tenant} ${id}`),
    entries: entries.map(({ tenant, id }) => `${tenant} ${id}`),
    events: events.map(({ tenant, id }) => `${tenant} ${id}`),
    records: records.map(({ tenant, scope }) => `${tenant} ${scope?.key}`),
  };
  for (const [table, read] of Object.entries(names)) {
    const expected = table === "entries" ? 4 * ROWS : 2 * ROWS;
    expect({ table, read: read.length }).toEqual({ table, read: expected });
    expect(new Set(read).size).toBe(expected);
  }
  expect(events[0]?.payment).toBeUndefined();
  expect(records[0]?.outcome).toBeUndefined();
});
