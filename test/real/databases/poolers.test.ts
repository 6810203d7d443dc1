import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openDatabase } from "../../../src/stores/postgres/index.js";
import { assertSessions } from "../../../src/stores/postgres/pooler.js";
import { expectAudit } from "../../support/operators/audit.js";
import { isReplayed, openPayments, paymentOf } from "../../support/payments/payments-client.js";
import {
  type PgbouncerUnderTest,
  pgbouncer,
  startPgbouncer,
} from "../../support/servers/pgbouncer.js";
import { createRole, databaseIn, onServer, type TestRole } from "../../support/servers/roles.js";
import { type Cluster, startCluster } from "../../support/service/cluster.js";
import { payonce } from "../../support/service/command-line.js";

let cluster: Cluster;
let role: TestRole;
let url: string;

beforeAll(async () => {
  [cluster, role] = await Promise.all([startCluster({ services: 0 }), createRole()]);
  await onServer(`ALTER DATABASE ${databaseIn(cluster.database.url)} OWNER TO ${role.name}`);
  url = role.on(cluster.database.url);
});

afterAll(async () => {
  await cluster?.stop();
  await role?.drop();
});

async function through(
  settings: Readonly<Record<string, string>>,
  use: (pooler: PgbouncerUnderTest) => Promise<void>,
): Promise<void> {
  const pooler = await startPgbouncer(url, settings);
  try {
    await use(pooler);
  } finally {
    await pooler.stop();
  }
}

describe.skipIf(pgbouncer === undefined && process.env.CI === undefined)(
  "through pgbouncer",
  () => {
    it("with its own defaults, in session mode, payments are made, each once", async () => {
      await through({}, async (pooler) => {
        const migrated = await payonce(["migrate"], { DATABASE_URL: pooler.url });
        expect(migrated).toMatchObject({ code: 0, stderr: "" });
        const service = await cluster.addService({ DATABASE_URL: pooler.url });
        const payments = openPayments(service.grpcAddress);
        const rounds = Array.from({ length: 5 }, (_, round) => round);
        for (const round of rounds) {
          const keys = Array.from({ length: 30 }, (_, index) => `pooled-${round}-${index}`);
          const create = (key: string) => payments.createPayment(paymentOf("tok_visa"), key);
          const created = await Promise.all(keys.map(create));
          expect(created.filter(({ response }) => response === undefined)).toEqual([]);
          const again = await Promise.all(keys.map(create));
          expect(again.filter((answer) => !isReplayed(answer))).toEqual([]);
        }
        payments.close();
        await service.stop();
        await expectAudit({ database: { url: pooler.url }, sandbox: cluster.sandbox });
      });
    });

    it.each([
      ["transaction", "serve", { pool_mode: "transaction" }],
      ["transaction", "migrate", { pool_mode: "transaction", server_round_robin: "1" }],
      // All share one session, so each has the same in each transaction.
      ["transaction", "serve", { pool_mode: "transaction", default_pool_size: "1" }],
      ["statement", "serve", { pool_mode: "statement" }],
    ])("in %s mode `%s` is refused in words", async (_, command, settings) => {
      await through(settings, async (pooler) => {
        const { code, stdout, stderr } = await payonce([command], {
          DATABASE_URL: pooler.url,
          PROCESSOR_URL: "instant:",
          LOG_LEVEL: "error",
        });
        expect(code).toBe(1);
        expect(stdout).toBe("");
        expect(stderr).toMatch(/^DATABASE_URL: a pooler in transaction mode .*session mode/);
      });
    });

    it("in transaction mode is found out each time, whichever sessions are idle there", async () => {
      await through({ pool_mode: "transaction", min_pool_size: "3" }, async (pooler) => {
        const pool = openDatabase(pooler.url, () => {});
        await Promise.all([1, 2, 3, 4, 5, 6].map(() => pool.query("SELECT pg_sleep(0.05)")));
        for (let round = 0; round < 20; round++) {
          await expect(assertSessions(pool, 100)).rejects.toThrow("transaction mode");
        }
        await pool.end();
      });
    });
  },
);

describe("without a pooler", () => {
  it("sessions are found to be their connections' own, also beside many others", async () => {
    const pool = openDatabase(url, () => {});
    await Promise.all(Array.from({ length: 5 }, () => assertSessions(pool)));
    await pool.end();
  });
});
