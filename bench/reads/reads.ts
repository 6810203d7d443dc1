import { startPaymentService } from "../lab/payment-service.js";
import { startProgram } from "../lab/program.js";
import { query } from "../lab/query.js";
import type { ReadersDone, ReadersPlan } from "../load/readers.js";
import type { Study } from "../studies.js";

const READERS = 40;
const PAGE_SIZE = 1_000;

/** Calls at once that use all of a process, and make none wait for long. */
const CALLERS = 64;

const WARM_UP_SECONDS = 5;

/** What payments keep of their throughput while others read. */
const FLOOR = 0.8;
const GOAL = 0.95;

/** What is left of payments while many readers page through all that is there. */
export const studyReads: Study = async (lab, { rounds, seconds, payments: rows }) => {
  const { postgres, redis, dataDir, shutdown, generator } = lab;
  const databaseUrl = await postgres.databases.create();
  await fill(databaseUrl, rows);
  const service = await startPaymentService({ databaseUrl, redisUrls: redis.urls, dataDir });
  shutdown.add(() => service.stop());
  const readers = await startProgram<ReadersPlan, ReadersDone>("readers");
  shutdown.add(() => readers.stop());
  const target = service.grpcAddress;
  let plans = 0;
  const pay = (lasting: number) =>
    generator.ask({
      targets: [target],
      prefix: `reads-${plans++}`,
      traffic: { kind: "new keys" },
      callers: CALLERS,
      seconds: lasting,
    });
  const page = () =>
    readers.ask({ target, readers: READERS, pageSize: PAGE_SIZE, seconds: seconds + 1 });
  await pay(WARM_UP_SECONDS);
  await page();
  const turns: { readonly alone: number; readonly beside: number; readonly done: ReadersDone }[] =
    [];
  for (let round = 0; round < rounds; round += 1) {
    const alone = await pay(seconds);
    const [beside, done] = await Promise.all([pay(seconds), page()]);
    turns.push({ alone: alone.calls / alone.seconds, beside: beside.calls / beside.seconds, done });
  }
  return {
    rows: [
      {
        group: "reads",
        figure: "throughput",
        measured: `payments while ${READERS} readers page`,
        baseline: "payments alone",
        atOnce: CALLERS,
        floor: FLOOR,
        goal: GOAL,
        ratios: turns.map(({ alone, beside }) => beside / alone),
      },
    ],
    tables: [
      {
        title: `${READERS} readers, ${PAGE_SIZE} rows a page, among ${rows.toLocaleString("en")} payments`,
        lines: turns.map(({ alone, beside, done }) => ({
          "payments/s alone": alone,
          "payments/s beside them": beside,
          "pages/s": done.pages / (seconds + 1),
          refused: done.refused,
        })),
      },
    ],
  };
};

/** Payments of the tenant that pays, each with its operation and its entries. */
async function fill(url: string, rows: number): Promise<void> {
  const numbers = `generate_series(1, ${rows}) AS n`;
  for (const statement of [
    `INSERT INTO payments (tenant, id, currency_code, amount, payment_method, capture_method,
       merchant_reference, description, metadata, status, version, authorized, captured, capturing,
       refunded, refunding, canceling, decline_code, create_time)
     SELECT 'default', 'pay_' || lpad(n::text, 40, '0'), 'EUR', 1, 'tok_visa', 'AUTOMATIC',
       'order-' || n, '', '{}', 'CAPTURED', 2, 1, 1, 0, 0, 0, false, '',
       now() - n * interval '1 second' FROM ${numbers}`,
    `INSERT INTO operations (tenant, id, processor_key, payment_id, kind, minor_units,
       currency_code, state, finish_time)
     SELECT 'default', 'op_' || lpad(n::text, 40, '0'), 'pk_' || n,
       'pay_' || lpad(n::text, 40, '0'), 'create', 1, 'EUR', 'approved', now() FROM ${numbers}`,
    `INSERT INTO ledger_entries
       (tenant, transaction_id, payment_id, account, currency_code, minor_units)
     SELECT 'default', 'op_' || lpad(n::text, 40, '0'), 'pay_' || lpad(n::text, 40, '0'), account,
       'EUR', units
     FROM ${numbers}, (VALUES ('processor_receivable', 1), ('merchant_payable', -1)) AS e (account, units)`,
    "VACUUM (ANALYZE)",
  ]) {
    await query(url, statement);
  }
}
