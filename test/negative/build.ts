import { fileURLToPath } from "node:url";
import pg from "pg";
import { createClientLog } from "../invariants/client-log.js";
import { auditServers, violationsIn } from "../support/operators/audit.js";
import { openPayments, type PaymentsClient } from "../support/payments/payments-client.js";
import { type Cluster, startCluster } from "../support/service/cluster.js";
import { openProcessor, type Processor } from "../support/service/processor.js";
import type { ServiceProcess } from "../support/service/service-process.js";

/** One build on real servers, seen from all sides. Only callers find out what is unknown. */
export interface BuildUnderTest extends Pick<Cluster, "database" | "sandbox"> {
  readonly processor: Processor;
  readonly pool: pg.Pool;
  /** Starts a service of the build, with a client whose writes are noted down. */
  start(): Promise<{ readonly service: ServiceProcess; readonly client: PaymentsClient }>;
  /** All invariants that are violated now, also by what the clients were told. */
  violations(): Promise<readonly string[]>;
}

/** A guard that can be left out: the name of an entry `without-…`. */
export type Guard =
  | "fencing"
  | "derived-key"
  | "reservation"
  | "unknown"
  | "kept-request"
  | "ended-operation"
  | "watched-window";

/** The shortest there is: what a test waits for. */
const LEASE_MS = 1_000;

/** Lets a scenario happen on the product, or on a build of it without one of its guards. */
export async function runOn<Result>(
  build: "the product" | `without ${Guard}`,
  scenario: (build: BuildUnderTest) => Promise<Result>,
  env: Readonly<Record<string, string>> = {},
): Promise<Result> {
  const cluster = await startCluster({
    services: 0,
    redisNodes: 0,
    env: { IDEMPOTENCY_LEASE_MS: String(LEASE_MS), RECOVERY_INTERVAL_MS: "1h", ...env },
    ...(build === "the product" ? {} : { entry: entryOf(build) }),
  });
  const processor = openProcessor(cluster.sandbox.address);
  const log = createClientLog();
  const pool = new pg.Pool({ connectionString: cluster.database.url });
  pool.on("error", () => {}); // dropping the database ends idle connections
  const opened: PaymentsClient[] = [];
  try {
    return await scenario({
      ...cluster,
      processor,
      pool,
      async start() {
        const service = await cluster.addService();
        const client = openPayments(service.grpcAddress);
        opened.push(client);
        return { service, client: { ...client, ...log.on(client) } };
      },
      violations: async () => violationsIn(await auditServers(cluster, { calls: log.calls })),
    });
  } finally {
    for (const client of [...opened, processor]) {
      client.close();
    }
    await pool.end();
    await cluster.stop();
  }
}

function entryOf(build: `without ${Guard}`): string {
  const name = build.replace(" ", "-");
  return fileURLToPath(new URL(`../support/entries/${name}.ts`, import.meta.url));
}
