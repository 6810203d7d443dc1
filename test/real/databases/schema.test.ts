import { readFileSync } from "node:fs";
import { beforeEach, describe, expect, it } from "vitest";
import { isReplayed, openPayments, paymentOf } from "../../support/payments/payments-client.js";
import { onDatabase } from "../../support/servers/on-database.js";
import { type Cluster, startCluster } from "../../support/service/cluster.js";
import { payonce } from "../../support/service/command-line.js";

/** What an operator copies from the page. */
const [, MOVE = ""] =
  /```sql\n(DO .*?)```/s.exec(
    readFileSync(new URL("../../../docs/postgres.md", import.meta.url), "utf8"),
  ) ?? [];

let cluster: Cluster;

beforeEach(async () => {
  cluster = await startCluster({ services: 0 });
  return () => cluster.stop();
});

/** Makes the same payment each time; resolves with its id, and with whether it was there before. */
async function pay(env: Readonly<Record<string, string>> = {}) {
  const service = await cluster.addService(env);
  const payments = openPayments(service.grpcAddress);
  const paid = await payments.createPayment(paymentOf("tok_visa"), "key");
  payments.close();
  await service.stop();
  return { id: paid.response?.payment?.id, wasThere: isReplayed(paid) };
}

async function onIt(statements: string) {
  return onDatabase(cluster.database.url, async (client) => (await client.query(statements)).rows);
}

const NAMED = { DATABASE_SCHEMA: "payonce" };

describe("DATABASE_SCHEMA", () => {
  it("keeps the tables apart from others of the same names", async () => {
    await onIt(
      `CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL);
       CREATE TABLE payments (id serial, amount numeric); CREATE TABLE operations ()`,
    );
    const first = await pay(NAMED);
    expect(first).toEqual({ id: expect.stringMatching(/^pay/), wasThere: false });
    expect(await onIt("SELECT * FROM public.payments, public.schema_migrations")).toEqual([]);
    const audit = ["audit", "--processor", cluster.sandbox.address];
    const url = { DATABASE_URL: cluster.database.url };
    expect(await payonce(audit, { ...url, ...NAMED })).toMatchObject({ code: 0 });
    // The only schema that has the tables is found without its name.
    expect(await pay()).toEqual({ ...first, wasThere: true });
  });

  it("is refused where it would leave the tables behind, until they are moved", async () => {
    const before = await pay();
    const env = { ...NAMED, PROCESSOR_URL: "instant:", LOG_LEVEL: "error" };
    const { code, stderr } = await payonce(["serve"], {
      DATABASE_URL: cluster.database.url,
      ...env,
    });
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^DATABASE_SCHEMA: the tables are in the schema public, .*docs\/postgres/,
    );
    expect(await onIt("SELECT FROM pg_namespace WHERE nspname = 'payonce'")).toEqual([]);
    await onIt(MOVE);
    expect(await onIt("SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace")).toEqual(
      [],
    );
    expect(await onIt("SELECT FROM pg_proc WHERE pronamespace = 'public'::regnamespace")).toEqual(
      [],
    );
    expect(await pay(NAMED)).toEqual({ ...before, wasThere: true });
  });

  it("has to be given where several schemas have tables", async () => {
    await pay({ DATABASE_SCHEMA: "one" });
    await pay({ DATABASE_SCHEMA: "two" });
    const { code, stderr } = await payonce(["migrate"], { DATABASE_URL: cluster.database.url });
    expect(code).toBe(1);
    expect(stderr).toBe("DATABASE_SCHEMA: the schemas one, two have tables: name one of them\n");
  });

  it("is made once by processes that start at once", async () => {
    const starts = await Promise.all(
      [1, 2, 3].map(() => payonce(["migrate"], { DATABASE_URL: cluster.database.url, ...NAMED })),
    );
    expect(starts.map(({ code }) => code)).toEqual([0, 0, 0]);
  });
});
