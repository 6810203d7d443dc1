import { fail } from "node:assert";
import type { Pool } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  addEndpoints,
  type ClaimedDelivery,
  claimDeliveries,
  delayDelivery,
  endDelivery,
  fillQueues,
  findWork,
  giveUpDelivery,
} from "../../../src/payments/postgres/webhook-queues.js";
import { openDatabase } from "../../../src/stores/postgres/index.js";
import { collectScans, type Scan, tellPlans } from "../../support/servers/executed-plans.js";
import { type PaymentsUnderTest, startPayments } from "./support.js";

const ROWS = 20_000;

/** The most rows that a statement reads of a table: those that it claims, or what one payment has. */
const FEW = 20;

const TABLES = ["payment_events", "webhook_endpoints", "webhook_queues", "webhook_dead_letters"];

const endpoint = { tenant: "acme", id: "we_1", url: new URL("https://shop.example/") };
const other = { tenant: "acme", id: "we_2", url: new URL("https://other.example/") };

describe.each(["nothing", "how they are"])("with long queues, where Postgres knows %s", (known) => {
  const scans = collectScans(TABLES);
  let payments: PaymentsUnderTest;
  let pool: Pool;

  beforeAll(async () => {
    let url = "";
    payments = await startPayments({
      async prepare(of) {
        url = of;
        await tellPlans(of);
      },
    });
    pool = openDatabase(url, () => {}, { plans: "in order" }); // as those of streams
    pool.on("connect", scans.listen);
    await fillTables();
    if (known === "how they are") {
      await payments.pool.query("ANALYZE");
    }
  }, 120_000);
  afterAll(async () => {
    await pool?.end();
    await payments?.stop();
  });

  /** Two events of each payment, all queued for two endpoints. */
  async function fillTables(): Promise<void> {
    await addEndpoints(pool, [endpoint, other]);
    await payments.pool.query(
      `INSERT INTO payment_events (tenant, payment_id, version, payment)
       SELECT 'acme', 'pay_' || n, v, '\\x00' FROM generate_series(1, 2) AS v,
         generate_series(1, ${ROWS}) AS n`,
    );
    await payments.pool.query(
      `INSERT INTO webhook_queues
         (tenant, endpoint_id, payment_id, event_id, event_time, last_event_id)
       SELECT tenant, endpoint_id, payment_id, min(e.id), min(create_time), max(e.id)
       FROM payment_events AS e, (VALUES ('we_1'), ('we_2')) AS w (endpoint_id)
       GROUP BY tenant, endpoint_id, payment_id`,
    );
    scans.take();
  }

  async function scansOf<Result>(work: () => Promise<Result>) {
    scans.take();
    const result = await work();
    const made = scans.take();
    expect(made.length).toBeGreaterThan(0);
    return { result, made };
  }

  const expectFew = (made: readonly Scan[]) => {
    for (const scan of made) {
      expect(scan.index, JSON.stringify(scan)).toBeDefined();
      expect(scan.rows, JSON.stringify(scan)).toBeLessThanOrEqual(FEW);
    }
  };

  const claim = async (limit: number): Promise<readonly ClaimedDelivery[]> => {
    const claiming = { limit, leaseMs: 60_000 };
    const { result, made } = await scansOf(() => claimDeliveries(pool, endpoint, claiming));
    expectFew(made);
    expect(result).toHaveLength(limit);
    return result;
  };

  it("finds work without reading it", async () => {
    const { result, made } = await scansOf(() => findWork(pool, [endpoint, other]));
    expectFew(made);
    expect(result).toHaveLength(2);
    expect(result[0]).toMatchObject({ hasEvents: true, hasDue: true });
  });

  it("claims, ends, delays and gives up a few by their keys", async () => {
    const [first = fail(), second = fail(), third = fail()] = await claim(16);
    for (const work of [
      () => endDelivery(pool, first),
      () => delayDelivery(pool, second, { delayMs: 1_000, reason: "answered 500" }),
      () => giveUpDelivery(pool, third, "answered 500"),
    ]) {
      expectFew((await scansOf(work)).made);
    }
    await claim(16);
  });

  it("fills queues that are there, and moves the endpoint on once", async () => {
    const { rows } = await payments.pool.query<{ id: string; payment_id: string }>(
      "SELECT id, payment_id FROM payment_events ORDER BY id DESC LIMIT 10",
    );
    const events = rows.map(({ id, payment_id }) => ({
      ...{ id: BigInt(id), paymentId: payment_id, createTime: new Date() },
    }));
    const page = { after: 0n, through: 10n, events };
    const { result, made } = await scansOf(() => fillQueues(pool, endpoint, page));
    expectFew(made);
    expect(result).toBe(true);
    expect(await fillQueues(pool, endpoint, page)).toBe(false);
  });
});
