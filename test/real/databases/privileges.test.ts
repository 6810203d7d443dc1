import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { expectAudit } from "../../support/operators/audit.js";
import {
  eur,
  isReplayed,
  openPayments,
  paymentOf,
} from "../../support/payments/payments-client.js";
import { onDatabase } from "../../support/servers/on-database.js";
import { createRole, databaseIn, onServer, type TestRole } from "../../support/servers/roles.js";
import { type Cluster, startCluster } from "../../support/service/cluster.js";
import { payonce } from "../../support/service/command-line.js";

/** What an operator copies from the page. */
function documentedGrants(role: string): string {
  const page = readFileSync(new URL("../../../docs/postgres.md", import.meta.url), "utf8");
  const [, grants = ""] = /```sql\n(GRANT.*?)```/s.exec(page) ?? [];
  return grants.replaceAll("payonce_serve", role);
}

let cluster: Cluster;
let owner: TestRole;
let server: TestRole;

beforeAll(async () => {
  [cluster, owner, server] = await Promise.all([
    startCluster({ services: 0 }),
    createRole(),
    createRole(),
  ]);
  const { url } = cluster.database;
  await onServer(`ALTER DATABASE ${databaseIn(url)} OWNER TO ${owner.name}`);
  expect(await payonce(["migrate"], { DATABASE_URL: owner.on(url) })).toMatchObject({ code: 0 });
  await onDatabase(owner.on(url), (client) => client.query(documentedGrants(server.name)));
});

afterAll(async () => {
  await cluster?.stop();
  await Promise.all([owner, server].map((role) => role?.drop()));
});

describe("a role with the privileges of the documentation", () => {
  it("serves payments on a schema that is up to date, each once", async () => {
    const url = server.on(cluster.database.url);
    const service = await cluster.addService({ DATABASE_URL: url });
    const payments = openPayments(service.grpcAddress);
    const create = () => payments.createPayment(paymentOf("tok_visa"), "granted");
    const created = await create();
    const paymentId = created.response?.payment?.id ?? "";
    expect(isReplayed(await create())).toBe(true);
    const refund = { paymentId, amount: eur(100n) };
    expect((await payments.refundPayment(refund, "refund")).response?.refund).toBeDefined();
    const entries = await payments.listLedgerEntries({});
    expect(entries.response?.entries).toHaveLength(4);
    // What operators ask for is written down.
    expect((await payments.listRecords({})).response?.records).toHaveLength(2);
    expect((await payments.listOperatorActs({})).response).toBeDefined();
    payments.close();
    await service.stop();
    await expectAudit({ database: { url }, sandbox: cluster.sandbox });
  });

  it("changes neither the ledger nor the schema", async () => {
    await onDatabase(server.on(cluster.database.url), async (client) => {
      for (const statement of [
        "UPDATE ledger_entries SET minor_units = 1",
        "DELETE FROM ledger_entries",
        "TRUNCATE ledger_entries",
        "DELETE FROM schema_migrations",
        "CREATE TABLE more ()",
        "ALTER TABLE payments ADD COLUMN more text",
      ]) {
        await expect(client.query(statement)).rejects.toMatchObject({ code: "42501" });
      }
    });
  });

  it("is told what is missing and what to run where the schema is not up to date", async () => {
    const [last] = await onDatabase(cluster.database.url, async (client) => {
      const { rows } = await client.query<{ name: string }>(
        `DELETE FROM schema_migrations WHERE name = (SELECT max(name) FROM schema_migrations)
         RETURNING name`,
      );
      return rows;
    });
    const { code, stdout, stderr } = await payonce(["serve"], {
      DATABASE_URL: server.on(cluster.database.url),
      PROCESSOR_URL: "instant:",
      LOG_LEVEL: "error",
    });
    expect(code).toBe(1);
    expect(stdout).toBe("");
    expect(stderr).toMatch(
      new RegExp(
        `^DATABASE_URL: the schema lacks ${last?.name}, .*run payonce migrate as the owner`,
      ),
    );
  });
});

describe("a role without any privilege", () => {
  it("is told the same", async () => {
    const stranger = await createRole();
    const { code, stderr } = await payonce(["serve"], {
      DATABASE_URL: stranger.on(cluster.database.url),
      PROCESSOR_URL: "instant:",
      LOG_LEVEL: "error",
    });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^DATABASE_URL: .*permission denied/);
    await stranger.drop();
  });
});
