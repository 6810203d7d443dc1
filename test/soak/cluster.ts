import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type OwnPostgres, startOwnPostgres } from "../slow/faults/servers/own-postgres.js";
import {
  clockShimAvailable,
  createShiftedClock,
  type ShiftedClock,
} from "../support/clock-shim/clock-shim.js";
import { type RedisNodeUnderTest, startRedisNodeUnderTest } from "../support/servers/redis.js";
import { type SandboxUnderTest, startSandboxUnderTest } from "../support/servers/sandbox.js";
import { startTcpProxy, type TcpProxy } from "../support/tcp-proxy.js";
import { openServiceSlot, type ServiceSlot } from "./service-slot.js";
import { REDIS_NODES, SERVICES, serviceSettings } from "./settings.js";

/** The whole product on real processes, each of which can be harmed and comes back where it was. */
export interface SoakCluster {
  readonly services: readonly ServiceSlot[];
  /** One for each service; none where processes cannot be given clocks. */
  readonly clocks: readonly ShiftedClock[];
  readonly redis: readonly { readonly node: RedisNodeUnderTest; readonly proxy: TcpProxy }[];
  readonly database: OwnPostgres;
  readonly processor: {
    /** The same over restarts. */
    readonly address: string;
    readonly proxy: TcpProxy;
    /** kill -9, and a new process over the same journal after the pause. */
    restart(pause: () => Promise<unknown>): Promise<void>;
  };
  stop(): Promise<void>;
}

export async function startSoakCluster(onProblem: (problem: string) => void): Promise<SoakCluster> {
  const dataDir = await mkdtemp(join(tmpdir(), "payonce-soak-"));
  const [database, redis, processor] = await Promise.all([
    startOwnPostgres(),
    Promise.all(Array.from({ length: REDIS_NODES }, startProxiedRedis)),
    startProxiedSandbox(join(dataDir, "sandbox")),
  ]);
  const clocks = await Promise.all(
    Array.from({ length: clockShimAvailable ? SERVICES : 0 }, async () =>
      createShiftedClock(await mkdtemp(join(dataDir, "clock-"))),
    ),
  );
  const services = await Promise.all(
    Array.from({ length: SERVICES }, (_, index) =>
      openServiceSlot(
        {
          DATABASE_URL: database.url,
          PROCESSOR_URL: processor.address,
          REDIS_URLS: redis.map(({ proxy }) => `redis://127.0.0.1:${proxy.port}`).join(","),
          DATA_DIR: join(dataDir, `service-${index}`),
          ...serviceSettings,
          ...clocks[index]?.env,
        },
        onProblem,
      ),
    ),
  );
  return {
    services,
    clocks,
    redis,
    database,
    processor,
    async stop() {
      await Promise.all(services.map((service) => service.stop()));
      await Promise.all(redis.map(({ node, proxy }) => Promise.all([node.stop(), proxy.close()])));
      await Promise.all([processor.close(), database.close()]);
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

async function startProxiedRedis() {
  const node = await startRedisNodeUnderTest();
  return { node, proxy: await startTcpProxy(node.port) };
}

async function startProxiedSandbox(dataDir: string) {
  let running = await startSandboxUnderTest(dataDir);
  const proxy = await startTcpProxy(portOf(running));
  return {
    address: `127.0.0.1:${proxy.port}`,
    proxy,
    async restart(pause: () => Promise<unknown>) {
      await running.stop();
      await pause();
      running = await startSandboxUnderTest(dataDir);
      proxy.connectTo(portOf(running));
    },
    async close() {
      await running.stop();
      await proxy.close();
    },
  };
}

function portOf({ address }: SandboxUnderTest): number {
  return Number(new URL(`tcp://${address}`).port);
}
