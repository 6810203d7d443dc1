import { setTimeout as sleep } from "node:timers/promises";
import type { Pool } from "pg";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { paymentMigrations } from "../../../src/payments/postgres/migrations.js";
import {
  idempotencyMigrations,
  type Migration,
  migrate,
  openDatabase,
  pendingMigrations,
} from "../../../src/stores/postgres/index.js";
import { createDatabase, type TestDatabase } from "../../support/servers/postgres.js";

const table: Migration = { name: "table", sql: "CREATE TABLE things (name text NOT NULL)" };
const index: Migration = {
  name: "index",
  sql: `-- Outside a transaction: others write meanwhile.
    CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS things_by_name
      ON things (name);
    ALTER TABLE things ADD COLUMN IF NOT EXISTS note text;
  `.replaceAll(/^ {4}/gm, ""),
};

let database: TestDatabase;
let pool: Pool;
beforeEach(async () => {
  database = await createDatabase();
  pool = openDatabase(database.url, () => {});
  await migrate(pool, [table]);
});
afterEach(async () => {
  await pool.end();
  await database.drop();
});

/** Whether the index is valid; undefined where there is none. */
async function isValid(): Promise<boolean | undefined> {
  const { rows } = await pool.query<{ valid: boolean }>(
    "SELECT indisvalid AS valid FROM pg_index WHERE indexrelid = to_regclass('things_by_name')",
  );
  return rows[0]?.valid;
}

describe("a migration outside a transaction", () => {
  it("is made once, by one of those that start at once", async () => {
    const made = await Promise.all([1, 2, 3].map(() => migrate(pool, [table, index])));
    expect(made.flat()).toEqual(["index"]);
    expect(await isValid()).toBe(true);
  });

  it("holds up no writer, though it waits for one itself", async () => {
    const writer = await pool.connect();
    await writer.query("BEGIN; INSERT INTO things VALUES ('first')");
    const migrating = migrate(pool, [table, index]);
    try {
      await expect.poll(isValid).toBe(false);
      await pool.query({ text: "INSERT INTO things VALUES ('second')" });
      expect(await Promise.race([migrating, sleep(300, "waits")])).toBe("waits");
    } finally {
      await writer.query("COMMIT");
      writer.release();
    }
    expect(await migrating).toEqual(["index"]);
    expect(await isValid()).toBe(true);
  });

  it("is made again after a failure, whose invalid index is dropped first", async () => {
    await pool.query("INSERT INTO things VALUES ('same'), ('same')");
    await expect(migrate(pool, [table, index])).rejects.toThrow("could not create unique index");
    expect(await isValid()).toBe(false);
    expect(await pendingMigrations(pool, [table, index])).toEqual(["index"]);

    await pool.query("DELETE FROM things");
    expect(await migrate(pool, [table, index])).toEqual(["index"]);
    expect(await isValid()).toBe(true);
  });

  it("lets writers by while it waits for a table of its own", async () => {
    await pool.query("INSERT INTO things VALUES ('held')");
    const holder = await pool.connect();
    // In the way of the column, and not of the index.
    await holder.query("BEGIN; LOCK TABLE things IN ROW EXCLUSIVE MODE");
    const migrating = migrate(pool, [table, { ...index, sql: columnOf(index.sql) }]);
    try {
      await sleep(1_500);
      const startedAtMs = performance.now();
      await pool.query("INSERT INTO things VALUES ('meanwhile')");
      expect(performance.now() - startedAtMs).toBeLessThan(2_000);
    } finally {
      await holder.query("ROLLBACK");
      holder.release();
    }
    expect(await migrating).toEqual(["index"]);
  });
});

describe("the indexes of lists", () => {
  it("come to the tables of a build from before beside its payments", async () => {
    const all = [...idempotencyMigrations, ...paymentMigrations];
    const isNew = ({ name }: Migration) => /indexes-of-lists|of-refunds|older-refunds/.test(name);
    await migrate(
      pool,
      all.filter((migration) => !isNew(migration)),
    );
    const insert = (from: number, to: number) =>
      pool.query(
        `INSERT INTO payments (tenant, id, currency_code, amount, payment_method, capture_method,
           merchant_reference, description, metadata, status, version, authorized, captured,
           capturing, refunded, refunding, canceling, decline_code)
         SELECT 'acme', 'pay_' || n, 'EUR', 1, '', 'AUTOMATIC', 'order', '', '{}', 'CAPTURED', 1, 1,
           1, 0, 0, 0, false, '' FROM generate_series($1::int, $2::int) AS n`,
        [from, to],
      );
    await insert(1, 20_000);
    const migrating = { isOver: false };
    const made = migrate(pool, all).finally(() => {
      migrating.isOver = true;
    });
    let slowestMs = 0;
    for (let next = 20_001; !migrating.isOver; next += 1) {
      const startedAtMs = performance.now();
      await insert(next, next);
      slowestMs = Math.max(slowestMs, performance.now() - startedAtMs);
    }
    expect([...(await made)].sort()).toEqual(
      all
        .filter(isNew)
        .map(({ name }) => name)
        .sort(),
    );
    expect(slowestMs).toBeLessThan(2_000);
    const { rows } = await pool.query<{ name: string }>(
      `SELECT indexrelid::regclass::text AS name FROM pg_index
       WHERE indrelid = 'payments'::regclass AND indisvalid ORDER BY name`,
    );
    expect(rows.map(({ name }) => name)).toEqual([
      "payments_newest",
      "payments_of_amount",
      "payments_of_reference",
      "payments_of_status",
      "payments_pkey",
      "payments_to_look_at",
    ]);
  });
});

/** The same without the index, which would wait for the holder too. */
function columnOf(sql: string): string {
  return sql.replace(/CREATE UNIQUE INDEX[^;]*;/, "");
}
