import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CaptureMethod, PaymentStatus } from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import { openDatabase } from "../../../src/stores/postgres/index.js";
import { expectAudit } from "../../support/operators/audit.js";
import {
  byKey,
  eur,
  isReplayed,
  openPayments,
  paymentOf,
} from "../../support/payments/payments-client.js";
import { onDatabase } from "../../support/servers/on-database.js";
import { createDatabase } from "../../support/servers/postgres.js";
import { createRole, databaseIn, onServer, type TestRole } from "../../support/servers/roles.js";
import { type Cluster, startCluster } from "../../support/service/cluster.js";
import { payonce } from "../../support/service/command-line.js";

/** Defaults of a database that somebody else has set up for another purpose. */
const OF_DATABASE = [
  ["DateStyle", "'German, DMY'"],
  ["IntervalStyle", "'sql_standard'"],
  ["TimeZone", "'Asia/Kathmandu'"],
  ["default_transaction_isolation", "'serializable'"],
  ["search_path", "elsewhere, public"],
  ["bytea_output", "'escape'"],
  ["extra_float_digits", "-15"],
  ["jit_above_cost", "0"],
] as const;

/** And of a role. */
const OF_ROLE = [
  ["lock_timeout", "'1ms'"],
  ["statement_timeout", "'300ms'"],
  ["standard_conforming_strings", "off"],
  ["client_encoding", "'LATIN1'"],
  ["enable_indexscan", "off"],
  ["enable_nestloop", "off"],
  ["array_nulls", "off"],
  ["transform_null_equals", "on"],
  ["synchronous_commit", "'remote_write'"],
] as const;

let cluster: Cluster;
let role: TestRole;
let url: string;

beforeAll(async () => {
  [cluster, role] = await Promise.all([startCluster({ services: 0 }), createRole()]);
  const database = databaseIn(cluster.database.url);
  await onServer(`ALTER DATABASE ${database} OWNER TO ${role.name}`);
  // Tables of another's, with names that are also ours.
  await onDatabase(cluster.database.url, (client) =>
    client.query(
      `CREATE SCHEMA elsewhere; GRANT ALL ON SCHEMA elsewhere TO ${role.name};
       ALTER SCHEMA public OWNER TO ${role.name}`,
    ),
  );
  url = role.on(cluster.database.url);
  // The tables are in public, as a build of before any of this has left them.
  expect(await payonce(["migrate"], { DATABASE_URL: url })).toMatchObject({ code: 0 });
  for (const [name, value] of OF_DATABASE) {
    await onServer(`ALTER DATABASE ${database} SET ${name} = ${value}`);
  }
  for (const [name, value] of OF_ROLE) {
    await onServer(`ALTER ROLE ${role.name} SET ${name} = ${value}`);
  }
  await onDatabase(cluster.database.url, (client) =>
    client.query("CREATE TABLE elsewhere.payments (); CREATE TABLE elsewhere.operations ()"),
  );
  await cluster.addService({ DATABASE_URL: url });
});

afterAll(async () => {
  await cluster?.stop();
  await role?.drop();
});

describe("a database and a role with defaults of another's choice", () => {
  it("have none that their connections keep", async () => {
    const pool = openDatabase(url, () => {});
    const { rows } = await pool.query(
      `SELECT current_setting('DateStyle') AS date, current_setting('TimeZone') AS zone,
         current_setting('transaction_isolation') AS isolation,
         current_setting('lock_timeout') AS lock, '\\'::text AS backslash, 'é€'::text AS text,
         'payments'::regclass::oid = 'public.payments'::regclass::oid AS own,
         '\\x00ff'::bytea AS bytes, 0.1::float8 + 0.2::float8 AS sum, '25h'::interval::text AS span,
         current_setting('synchronous_commit') AS commits`,
    );
    await pool.end();
    expect(rows).toEqual([
      {
        date: "ISO, MDY",
        zone: "UTC",
        isolation: "read committed",
        lock: "500ms",
        backslash: "\\",
        text: "é€",
        own: true,
        bytes: Buffer.from([0, 255]),
        sum: 0.1 + 0.2,
        span: "25:00:00",
        // What waits for a standby is the operator's to choose.
        commits: "remote_write",
      },
    ]);
  });

  it("serve payments from their creation to their refund, each once", async () => {
    const payments = openPayments(cluster.targets()[0] ?? "");
    const terms = {
      amount: eur(1_000n),
      captureMethod: CaptureMethod.MANUAL,
      merchantReference: "Bestellung № 7 – Zürich \\ 東京",
    };
    const create = () => payments.createPayment(paymentOf("tok_visa", terms), "key-1");
    const created = await create();
    const paymentId = created.response?.payment?.id ?? "";
    expect(created.response?.payment).toMatchObject({
      status: PaymentStatus.AUTHORIZED,
      merchantReference: terms.merchantReference,
    });
    const createTime = Number(created.response?.payment?.createTime?.seconds);
    expect(Math.abs(createTime - Date.now() / 1_000)).toBeLessThan(60);
    const again = await create();
    expect(isReplayed(again)).toBe(true);
    expect(again.response).toEqual(created.response);
    const captured = await payments.capturePayment({ paymentId, amount: eur(400n) }, "key-2");
    expect(captured.response?.payment?.status).toBe(PaymentStatus.PARTIALLY_CAPTURED);
    const refunded = await payments.refundPayment({ paymentId, amount: eur(100n) }, "key-3");
    expect(refunded.response?.refund).toMatchObject({ amount: eur(100n) });
    const many = Array.from({ length: 40 }, (_, index) =>
      payments.createPayment(paymentOf("tok_visa"), `many-${index % 20}`),
    );
    const answered = await Promise.all(many);
    expect(answered.filter(({ response }) => response !== undefined).length).toBeGreaterThan(19);
    expect((await payments.getPayment(byKey("key-1"))).response?.payment).toMatchObject({
      refunded: eur(100n),
    });
    const listed = await payments.listPayments({});
    expect(listed.response?.payments).toHaveLength(21);
    payments.close();
    await expectAudit({ database: { url }, sandbox: cluster.sandbox });
  });
});

describe("a database that is read-only by default", () => {
  it("is somebody's wish: a start waits for its end, and then says what is on", async () => {
    const database = await createDatabase();
    const name = databaseIn(database.url);
    await onServer(`ALTER DATABASE ${name} SET default_transaction_read_only = on`);
    const { code, stdout, stderr } = await payonce(["serve"], {
      DATABASE_URL: database.url,
      DATABASE_WAIT_MS: "1s",
      PROCESSOR_URL: "instant:",
      LOG_LEVEL: "error",
    });
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/^DATABASE_URL: default_transaction_read_only is on/);
    await database.drop();
  });
});

describe("a database with another encoding than UTF-8", () => {
  it.each(["LATIN1", "SQL_ASCII"])("%s stops the start, in words", async (encoding) => {
    const database = await createDatabase();
    const name = databaseIn(database.url);
    await onServer(`DROP DATABASE ${name}`);
    await onServer(`CREATE DATABASE ${name} ENCODING '${encoding}' LOCALE 'C' TEMPLATE template0`);
    for (const command of ["serve", "migrate"]) {
      const { code, stdout, stderr } = await payonce([command], {
        DATABASE_URL: database.url,
        PROCESSOR_URL: "instant:",
        LOG_LEVEL: "error",
      });
      expect(code).toBe(1);
      expect(stdout).toBe("");
      expect(stderr).toMatch(
        new RegExp(`^DATABASE_URL: the encoding of the database is ${encoding}, .*UTF8`),
      );
    }
    await database.drop();
  });
});
