import { join } from "node:path";
import type { Redis } from "ioredis";
import type { Pool, PoolClient } from "pg";
import type { IdempotencyStore } from "../idempotency/port/store.js";
import { paymentMigrations } from "../payments/postgres/migrations.js";
import type { Processor } from "../payments/processor.js";
import { createInstantProcessor } from "../payments/processors/instant.js";
import { createSandboxProcessor } from "../payments/processors/sandbox.js";
import { memoryGate } from "../stores/memory/index.js";
import {
  assertDurable,
  assertNoOtherTables,
  assertSessions,
  type DatabaseOptions,
  type DeploymentWatch,
  endImpossibleLeases,
  idempotencyMigrations,
  migrate,
  openDatabase,
  untilReachable,
  watchDeployment,
} from "../stores/postgres/index.js";
import {
  connectRedisNodes,
  fromRedlock,
  type RedlockLike,
  redisGate,
} from "../stores/redis/index.js";
import { stripeFaceOptions } from "./config/sandbox-options.js";
import { type Config, formatAddress } from "./config.js";
import { reasonOf, withErrorPrefix } from "./error-prefix.js";
import { logDeploymentEvent } from "./event-log.js";
import type { Logger } from "./log.js";
import type { Metrics } from "./metrics.js";
import type { Shutdown } from "./shutdown.js";

/** The number of nodes that the service starts for itself: one may fail. */
const OWN_REDIS_NODES = 3;

const MEBIBYTE = 1024 * 1024;

/**
 * The time for which an owner waits for a connection. Longer than a duplicate: giving up
 * leaves an outcome unknown, and finding it out costs more than the wait.
 */
const OWNERS_WAIT_MS = 30_000;

/** The schema of the whole service. */
const migrations = [...idempotencyMigrations, ...paymentMigrations];

export interface OpenOptions {
  readonly config: Config;
  readonly log: Logger;
  readonly shutdown: Shutdown;
}

/** A dependency with its description, for the lines that the start prints. */
export interface Opened<Value> {
  readonly value: Value;
  readonly what: string;
}

/** Connections to the store of record. */
export interface Database {
  /** The pool of claims, which any number of duplicates ask for. */
  readonly records: Pool;
  /** The pool of the owners of claims, whose work no flood of duplicates may hold up. */
  readonly payments: Pool;
  /** The pool of reads, of which a flood takes no more of the database. */
  readonly reads: Pool;
  /** The pool of streams, which ask for as long as they are open. */
  readonly streams: Pool;
  /** The pool of operators, who have to look when all others are busy. */
  readonly inspection: Pool;
  /** Knows which deployment the database is, and whether it keeps what it confirms. */
  readonly watch: DeploymentWatch;
}

/** Opens the store of record, starting a Postgres where none is configured. */
export async function openStoreOfRecord({
  config,
  log,
  shutdown,
}: OpenOptions): Promise<Opened<Database>> {
  let url = config.databaseUrl;
  let what = "Postgres at DATABASE_URL";
  if (url === undefined) {
    const { startEmbeddedPostgres } = await import("../dev-servers/postgres.js");
    const postgres = await startEmbeddedPostgres({
      dataDir: config.dataDir,
      log: (line) => log.debug({ from: "postgres" }, line),
    });
    shutdown.add((limitMs) => postgres.stop(limitMs));
    if (postgres.user !== undefined) {
      log.info(`started by root: the embedded Postgres runs as ${postgres.user}`);
    }
    url = postgres.url;
    what = `a Postgres of its own in ${join(config.dataDir, "postgres")}`;
  }
  const { databaseSchema: schema, databaseWriteConnections: writing } = config;
  const writes = { log, shutdown, schema, maxConnections: writing };
  const records = openPool(url, writes);
  const payments = openPool(url, { ...writes, connectTimeoutMs: OWNERS_WAIT_MS });
  const looks = {
    log,
    shutdown,
    schema,
    plans: "in order",
    statementTimeoutMs: config.databaseReadTimeoutMs,
  } as const;
  const openLooks = (maxConnections: number) => openPool(url, { ...looks, maxConnections });
  const reads = openLooks(config.databaseReadConnections);
  const streams = openLooks(config.databaseStreamConnections);
  const inspection = openLooks(config.databaseInspectionConnections);
  const applied = await prepareDatabase(records, {
    schema,
    waitMs: config.databaseWaitMs,
    onWait: (reason) => log.warn({ reason }, "waiting for the database"),
  });
  if (applied.length > 0) {
    log.info({ applied }, "migrated the database");
  }
  const watch = await withErrorPrefix("DATABASE_URL", () =>
    watchDeployment(records, { onEvent: (event) => logDeploymentEvent(log, event) }),
  );
  shutdown.add(() => watch.stop());
  const ends = await endImpossibleLeases(records, {
    leaseMs: config.idempotencyLeaseMs,
    onEnded: (count) =>
      log.warn({ count }, "the database's clock was set back: leases from before are over"),
  });
  shutdown.add(() => ends.stop());
  return { value: { records, payments, reads, streams, inspection, watch }, what };
}

export interface PrepareOptions {
  /** The schema of the tables, if one is named. */
  readonly schema?: string | undefined;
  /** The time for which the database is waited for, and another's migration. Milliseconds. */
  readonly waitMs: number;
  /** Is told, in words, of what is waited for. */
  readonly onWait: (reason: string) => void;
}

/**
 * Waits for the database, makes sure that it keeps what it confirms, and brings
 * its schema up to date. Returns the names of what it applied.
 * @throws if it cannot; the message names DATABASE_URL.
 */
export async function prepareDatabase(
  pool: Pool,
  { schema, waitMs, onWait }: PrepareOptions,
): Promise<readonly string[]> {
  await withErrorPrefix("DATABASE_URL", () =>
    untilReachable(pool, { waitMs, onWait: (error) => onWait(reasonOf(error)) }),
  );
  await assertDurable(pool);
  await assertSessions(pool);
  await withErrorPrefix("DATABASE_SCHEMA", () => assertNoOtherTables(pool, schema));
  return withErrorPrefix("DATABASE_URL", () =>
    migrate(pool, migrations, { schema, waitMs, onWait }),
  );
}

function openPool(
  url: string,
  { log, shutdown, ...options }: Omit<OpenOptions, "config"> & DatabaseOptions,
): Pool {
  let closing = false;
  const pool = openDatabase(
    url,
    (error) => {
      if (!closing) {
        log.warn({ error: error.message }, "a database connection broke");
      }
    },
    options,
  );
  shutdown.add(() => {
    closing = true;
    return pool.end();
  });
  return pool;
}

/** Puts a gate before the store: Redis where there is some, else one inside the process. */
export async function openGatedStore(
  { config, log, shutdown }: OpenOptions,
  store: IdempotencyStore<PoolClient>,
  { watch, metrics }: { readonly watch: DeploymentWatch; readonly metrics: Metrics },
): Promise<Opened<IdempotencyStore<PoolClient>>> {
  const copyTtlMs = config.responseCacheTtlMs;
  const memoryBytes = config.responseCacheMemoryMib * MEBIBYTE;
  const namespace = () => {
    const { id, generation } = watch.deployment();
    return `payonce:${id}:${generation}`;
  };
  const redis = await openRedis({ config, log, shutdown });
  if (redis === undefined) {
    return {
      value: memoryGate({ store, namespace, copyTtlMs, memoryBytes }),
      what: "a gate inside the process (no redis-server or valkey-server on the PATH)",
    };
  }
  const nodes = connectRedisNodes(redis.value, (node, error) =>
    log.debug({ node: new URL(node).host, error: error.message }, "redis"),
  );
  shutdown.add(() => {
    for (const node of nodes) {
      node.disconnect();
    }
  });
  const { responseCacheSecret: secret } = config;
  const gate = redisGate({
    store,
    nodes,
    namespace,
    copyTtlMs,
    memoryBytes,
    onEvent: metrics.onGateEvent,
    ...(config.redisLocks === "redlock" ? { locks: fromRedlock(await redlockOver(nodes)) } : {}),
    ...(secret === undefined ? {} : { secret }),
  });
  const locks = config.redisLocks === "redlock" ? "the redlock package" : "Redlock";
  return { value: gate, what: `${locks} over ${redis.what}` };
}

/** Loaded only where it is used. Its errors, one for each node that is away, are the nodes' own. */
async function redlockOver(nodes: readonly Redis[]): Promise<RedlockLike> {
  const { default: Redlock } = await import("redlock");
  const redlock = new Redlock(nodes);
  redlock.on("error", () => {});
  return redlock;
}

async function openRedis({
  config,
  log,
  shutdown,
}: OpenOptions): Promise<Opened<readonly string[]> | undefined> {
  if (config.redisUrls !== undefined) {
    return {
      value: config.redisUrls,
      what: `${config.redisUrls.length} Redis nodes at REDIS_URLS`,
    };
  }
  const { findRedisServer, startRedisNodes } = await import("../dev-servers/redis.js");
  const binary = findRedisServer(config.searchPath);
  if (binary === undefined) {
    return undefined;
  }
  const nodes = await startRedisNodes({
    binary,
    count: OWN_REDIS_NODES,
    dataDir: config.dataDir,
    log: (line) => log.debug({ from: "redis" }, line),
  });
  shutdown.add((limitMs) => nodes.stop(limitMs));
  return { value: nodes.urls, what: `${OWN_REDIS_NODES} Redis nodes of its own` };
}

/** Opens the processor, starting a sandbox where none is configured. */
export async function openProcessor({
  config,
  log,
  shutdown,
}: OpenOptions): Promise<Opened<Processor>> {
  const target = config.processorUrl;
  if (target?.kind === "instant") {
    log.warn("PROCESSOR_URL is instant: every payment is approved and no money moves");
    return { value: createInstantProcessor(), what: "none: everything is approved" };
  }
  if (target?.kind === "stripe") {
    const { openStripe } = await import("./stripe.js");
    return openStripe({ config, log, shutdown });
  }
  let address: string;
  let what: string;
  if (target === undefined) {
    const { startSandboxProcess } = await import("../dev-servers/sandbox-process.js");
    const sandbox = await startSandboxProcess({
      listen: formatAddress(config.sandboxListen),
      dataDir: join(config.dataDir, "sandbox"),
      tokenFile: config.sandboxTokenFile,
      profile: config.sandboxProfile,
      ...stripeFaceOptions(config),
    });
    shutdown.add((limitMs) => sandbox.stop(limitMs));
    address = sandbox.address;
    const stripe = sandbox.stripeAddress;
    what = `a sandbox of its own at ${address}${stripe === undefined ? "" : `, in Stripe's form at http://${stripe}`}`;
  } else {
    address = formatAddress(target.address);
    what = address;
  }
  const processor = createSandboxProcessor({
    address,
    timeoutMs: config.processorTimeoutMs,
    profile: config.sandboxProfile,
  });
  shutdown.add(() => processor.close());
  return { value: processor, what };
}
