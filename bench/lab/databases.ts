import type { Answered, Plan } from "../load/plan.js";
import { startPaymentService } from "./payment-service.js";
import type { Program } from "./program.js";
import { query } from "./query.js";

/**
 * Payments that every database starts with. Plans made while the tables are
 * empty read whole indexes, and no service in use has empty tables.
 */
const FILLED_PAYMENTS = 2_000;
const FILLING_CALLERS = 16;
const FILLING_LIMIT_SECONDS = 120;

const TEMPLATE = "bench_template";

export interface Databases {
  /** A database with the schema of this build and some payments; returns its URL. */
  create(): Promise<string>;
  /** A database with nothing in it; returns its URL. */
  createEmpty(): Promise<string>;
  /** Gives a database's disk free, whoever is connected. */
  drop(url: string): Promise<void>;
}

export interface DatabasesOptions {
  /** A superuser's. */
  readonly url: string;
  readonly redisUrls: readonly string[];
  readonly dataDir: string;
  readonly generator: Program<Plan, Answered>;
}

/** Databases that are alike: copies of one that the service itself has filled. */
export function createDatabases(options: DatabasesOptions): Databases {
  let template: Promise<void> | undefined;
  let created = 0;
  const nextName = () => {
    created += 1;
    return `bench_${created}`;
  };
  return {
    async create() {
      template ??= fillTemplate(options);
      await template;
      const name = nextName();
      await query(options.url, `CREATE DATABASE ${name} TEMPLATE ${TEMPLATE}`);
      // What is kept in Redis has another name: each copy is a generation of its own.
      return urlOf(options.url, name);
    },
    async createEmpty() {
      const name = nextName();
      await query(options.url, `CREATE DATABASE ${name}`);
      return urlOf(options.url, name);
    },
    async drop(url) {
      const name = new URL(url).pathname.slice(1);
      await query(options.url, `DROP DATABASE ${name} WITH (FORCE)`);
    },
  };
}

/** How many payments a database holds. @throws if anything of one of them is missing. */
export async function countPayments(url: string): Promise<number> {
  const counts = await query(
    url,
    `SELECT (SELECT count(*) FROM payments WHERE status = 'CAPTURED')::int AS payments,
       (SELECT count(*) FROM operations WHERE state = 'approved')::int AS operations,
       (SELECT count(*) FROM idempotency_records WHERE state = 'completed')::int AS records,
       (SELECT count(*) FROM ledger_entries)::int / 2 AS "pairs of ledger entries",
       (SELECT count(*) FROM payment_events)::int / 2 AS "pairs of events"`,
  );
  const [payments, ...others] = Object.values(counts);
  if (payments === undefined || others.some((count) => count !== payments)) {
    throw new Error(`the database is not consistent: ${JSON.stringify(counts)}`);
  }
  return payments;
}

async function fillTemplate(options: DatabasesOptions): Promise<void> {
  const { url, redisUrls, dataDir, generator } = options;
  await query(url, `CREATE DATABASE ${TEMPLATE}`);
  const databaseUrl = urlOf(url, TEMPLATE);
  const service = await startPaymentService({ databaseUrl, redisUrls, dataDir });
  try {
    await generator.ask({
      targets: [service.grpcAddress],
      prefix: "filling",
      traffic: { kind: "new keys" },
      callers: FILLING_CALLERS,
      seconds: FILLING_LIMIT_SECONDS,
      maxCalls: FILLED_PAYMENTS,
    });
  } finally {
    await service.stop();
  }
  await query(databaseUrl, "ANALYZE");
  // A copy can be made only where nobody is connected.
  await query(
    url,
    `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '${TEMPLATE}'`,
  );
}

function urlOf(url: string, database: string): string {
  const changed = new URL(url);
  changed.pathname = database;
  return changed.href;
}
