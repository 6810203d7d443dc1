import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSandboxProcessor } from "../../../src/payments/processors/sandbox.js";
import { openPayments, type PaymentsClient } from "../../support/payments/payments-client.js";
import { type Cluster, startCluster } from "../../support/service/cluster.js";
import { payonce } from "../../support/service/command-line.js";
import { busyDay } from "./busy-day.js";
import { copyDatabase, type DatabaseCopy } from "./damages.js";

let cluster: Cluster;
let clients: readonly PaymentsClient[];

beforeAll(async () => {
  cluster = await startCluster({ services: 2 });
  clients = cluster.services.map(({ grpcAddress }) => openPayments(grpcAddress));
  await day("before");
}, 60_000);

afterAll(async () => {
  for (const client of clients ?? []) {
    client.close();
  }
  await cluster?.stop();
});

const day = (prefix: string) =>
  busyDay({
    clients,
    customers: 12,
    prefix,
    paymentMethods: ["tok_visa", "tok_declined", "tok_drop_reply"],
  });

const reconcile = (databaseUrl: string, ...more: string[]) =>
  payonce(["reconcile", ...more], {
    DATABASE_URL: databaseUrl,
    PROCESSOR_URL: cluster.sandbox.address,
  });

interface Differs {
  readonly kind: string;
  readonly paymentId: string;
  readonly here: string;
  readonly there: string;
}

async function differencesOf(databaseUrl: string, ...more: string[]): Promise<readonly Differs[]> {
  const { stdout } = await reconcile(databaseUrl, "--json", ...more);
  return JSON.parse(stdout).differences;
}

describe("payonce reconcile", () => {
  it("finds no difference after a day of payments, and exits with 0", async () => {
    const { code, stdout, stderr } = await reconcile(cluster.database.url);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^[1-9]\d* payments compared, 0 of them moving, 0 differences$/m);
  });

  it("finds none while more payments are being made", async () => {
    let isOver = false;
    const more = day("meanwhile").finally(() => {
      isOver = true;
    });
    let runs = 0;
    do {
      expect(await differencesOf(cluster.database.url)).toEqual([]);
      runs += 1;
    } while (!isOver);
    await more;
    expect(runs).toBeGreaterThan(0);
  });

  it("compares nothing outside of the span", async () => {
    const { code, stdout } = await reconcile(
      cluster.database.url,
      "--since",
      "2020-01-01",
      "--until",
      "2020-02-01T00:00:00Z",
    );
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: "0 payments compared, 0 of them moving, 0 differences\n",
    });
  });

  it.each([
    [["--since", "yesterday"], "--since accepts a date such as 2026-11-01"],
    [["--since", "2026-01-02", "--until", "2026-01-01"], "--since accepts a time before --until"],
  ])("refuses %j in words", async (args, words) => {
    const { code, stderr } = await reconcile(cluster.database.url, ...args);
    expect(code).toBe(2);
    expect(stderr).toContain(words);
  });

  it("says which of both cannot be read", async () => {
    const away = { DATABASE_URL: cluster.database.url, PROCESSOR_URL: "127.0.0.1:1" };
    const processor = await payonce(["reconcile"], { ...away, PROCESSOR_TIMEOUT_MS: "2000" });
    expect(processor.code).toBe(1);
    expect(processor.stderr).toMatch(/^PROCESSOR_URL: /m);
    const database = await payonce(["reconcile"], {
      DATABASE_URL: "postgres://nobody@127.0.0.1:1/none",
      PROCESSOR_URL: cluster.sandbox.address,
    });
    expect(database.code).toBe(1);
    expect(database.stderr).toMatch(/^DATABASE_URL: /m);
  });
});

describe("a difference", () => {
  let copy: DatabaseCopy;
  beforeAll(async () => {
    for (const client of clients) {
      client.close();
    }
    await Promise.all(cluster.services.splice(0).map((service) => service.stop()));
    copy = await copyDatabase(cluster.database.url);
  }, 60_000);
  afterAll(() => copy?.drop());

  // The tables refuse sums that contradict each other, so damages keep to their rules.
  it.each([
    ["missing_here", "DELETE FROM payments WHERE id = <payment>", "status = 'CAPTURED'"],
    [
      "authorized",
      "UPDATE payments SET amount = amount + 1, authorized = authorized + 1 WHERE id = <payment>",
      "status = 'AUTHORIZED' OR status = 'PARTIALLY_CAPTURED'",
    ],
    [
      "captured",
      "UPDATE payments SET captured = captured - 1 WHERE id = <payment>",
      "captured > 1 AND refunded = 0",
    ],
    [
      "refunded",
      "UPDATE payments SET refunded = refunded + 1 WHERE id = <payment>",
      "refunded < captured",
    ],
    [
      "ledger",
      "UPDATE ledger_entries SET minor_units = minor_units + 1 WHERE payment_id = <payment> AND account = 'processor_receivable'",
      "captured > 0",
    ],
    [
      "declined_here",
      "UPDATE payments SET status = 'DECLINED', authorized = 0, captured = 0, refunded = 0 WHERE id = <payment>",
      "status = 'CAPTURED'",
    ],
    [
      "missing_there",
      "UPDATE payments SET status = 'AUTHORIZED', authorized = amount WHERE id = <payment>",
      "status = 'DECLINED'",
    ],
  ])("is found and named: %s", async (kind, statement, condition) => {
    const before = await differencesOf(copy.url);
    const one = `(SELECT min(id) FROM payments WHERE ${condition})`;
    expect(await copy.damage(statement.replaceAll("<payment>", one))).toBeGreaterThan(0);
    const after = await differencesOf(copy.url);
    const found = after.filter(
      (one) => !before.some((known) => JSON.stringify(known) === JSON.stringify(one)),
    );
    expect(found.map((difference) => difference.kind)).toContain(kind);
    const { code, stdout } = await reconcile(copy.url);
    expect(code).toBe(1);
    expect(stdout).toMatch(new RegExp(`  ${kind}: `));
  });

  it("is found where the processor charged a payment twice", async () => {
    const before = new Set((await differencesOf(cluster.database.url)).map(({ kind }) => kind));
    expect(before.size).toBe(0);
    const processor = createSandboxProcessor({
      address: cluster.sandbox.address,
      timeoutMs: 5_000,
    });
    const [charge] = [await firstCharge(processor)];
    await processor.authorize({
      processorKey: "pk_a_second_charge",
      tenant: "default",
      paymentId: charge,
      amount: { currencyCode: "EUR", minorUnits: 1n },
      paymentMethod: "tok_visa",
      capture: true,
    });
    processor.close();
    const differences = await differencesOf(cluster.database.url);
    expect(differences.map(({ kind, paymentId }) => [kind, paymentId])).toContainEqual([
      "charged_twice",
      charge,
    ]);
  });
});

async function firstCharge({
  listPayments,
}: ReturnType<typeof createSandboxProcessor>): Promise<string> {
  const always = { since: new Date(0), until: new Date(Date.now() + 60_000) };
  for await (const { paymentId } of listPayments?.(always) ?? []) {
    if (paymentId !== undefined) {
      return paymentId;
    }
  }
  throw new Error("the processor has no charge");
}
