import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startTcpProxy, type TcpProxy } from "../support/calls/tcp-proxy.js";
import {
  clockShimAvailable,
  createShiftedClock,
  type ShiftedClock,
  withClock,
} from "../support/clock-shim/clock-shim.js";
import { type OwnPostgres, startOwnPostgres } from "../support/faults/own-postgres.js";
import {
  type RestartableSandbox,
  startRestartableSandbox,
} from "../support/faults/restartable-sandbox.js";
import {
  type RedisNodeUnderTest,
  requireRedisServer,
  startRedisNodeUnderTest,
} from "../support/servers/redis.js";
import type { Wire } from "../support/servers/wire.js";
import { type ProcessorFaults, startProcessorFaults } from "./processor-faults.js";
import { openServiceSlot, type ServiceSlot } from "./service-slot.js";
import { REDIS_NODES, SERVICES, serviceSettings } from "./settings.js";

/** The whole product on real processes, each of which can be harmed and comes back where it was. */
export interface SoakCluster {
  readonly services: readonly ServiceSlot[];
  /** One for each service; none where processes cannot be given clocks. */
  readonly clocks: readonly ShiftedClock[];
  readonly redis: readonly SoakRedis[];
  readonly database: OwnPostgres;
  readonly processor: RestartableSandbox;
  /** The file of the processor's effects. */
  readonly journalPath: string;
  readonly processorFaults: ProcessorFaults;
  stop(): Promise<void>;
}

export interface SoakRedis {
  readonly node: RedisNodeUnderTest;
  readonly proxy: TcpProxy;
  /** None where processes cannot be given clocks. */
  readonly clock: ShiftedClock | undefined;
}

export interface SoakClusterOptions {
  /** How long the processor remembers a key. Milliseconds. */
  readonly keyWindowMs: number;
  /** Told of a service that ends, or does not end, by itself. */
  readonly onProblem: (problem: string) => void;
  /** The form in which the services speak to the processor. */
  readonly wire: Wire;
  /** The program of the services, if not the command line itself. */
  readonly entry?: string;
}

export async function startSoakCluster(options: SoakClusterOptions): Promise<SoakCluster> {
  const dataDir = await mkdtemp(join(tmpdir(), "payonce-soak-"));
  const sandboxDir = join(dataDir, "sandbox");
  const [database, redis, processor] = await Promise.all([
    startOwnPostgres(),
    Promise.all(Array.from({ length: REDIS_NODES }, () => startRedis(dataDir))),
    startRestartableSandbox(sandboxDir, options.wire),
  ]);
  const clocks = await Promise.all(
    Array.from({ length: clockShimAvailable ? SERVICES : 0 }, async () =>
      createShiftedClock(await mkdtemp(join(dataDir, "clock-"))),
    ),
  );
  const services = await Promise.all(
    Array.from({ length: SERVICES }, (_, index) =>
      openServiceSlot({
        ...options,
        env: {
          DATABASE_URL: database.url,
          ...processor.settings,
          REDIS_URLS: redis.map(({ proxy }) => `redis://127.0.0.1:${proxy.port}`).join(","),
          DATA_DIR: join(dataDir, `service-${index}`),
          ...serviceSettings(options.keyWindowMs),
          ...clocks[index]?.env,
        },
      }),
    ),
  );
  const processorFaults = startProcessorFaults({
    processorAddress: processor.address,
    databaseUrl: () => database.directUrl(),
    keyWindowMs: options.keyWindowMs,
  });
  return {
    services,
    clocks,
    redis,
    database,
    processor,
    journalPath: join(sandboxDir, "sandbox", "journal.jsonl"),
    processorFaults,
    async stop() {
      await processorFaults.stop();
      await Promise.all(services.map((service) => service.stop()));
      await Promise.all(redis.map(({ node, proxy }) => Promise.all([node.stop(), proxy.close()])));
      await Promise.all([processor.stop(), database.close()]);
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

async function startRedis(dataDir: string): Promise<SoakRedis> {
  const directory = await mkdtemp(join(dataDir, "redis-"));
  const clock = clockShimAvailable ? await createShiftedClock(directory) : undefined;
  const binary = clock && (await withClock(requireRedisServer(), clock, directory));
  const node = await startRedisNodeUnderTest(binary === undefined ? {} : { binary });
  return { node, proxy: await startTcpProxy(node.port), clock };
}
