import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createDatabase, type TestDatabase } from "../servers/postgres.js";
import { type RedisNodeUnderTest, startRedisNodeUnderTest } from "../servers/redis.js";
import { type SandboxUnderTest, startSandboxUnderTest } from "../servers/sandbox.js";
import { processorSettings, sandboxSettings, wireAddress, wireOfRun } from "../servers/wire.js";
import { type ServiceProcess, startServiceProcess } from "./service-process.js";

export interface Cluster {
  readonly services: ServiceProcess[];
  readonly redisNodes: readonly RedisNodeUnderTest[];
  readonly database: TestDatabase;
  readonly sandbox: SandboxUnderTest;
  /** The gRPC addresses of all services. */
  targets(): readonly string[];
  /** Starts one more service process, of another program if one is given. */
  addService(env?: Readonly<Record<string, string>>, entry?: string): Promise<ServiceProcess>;
  stop(): Promise<void>;
}

export interface ClusterOptions {
  readonly services: number;
  readonly redisNodes?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** The program of the services, if not the command line itself. */
  readonly entry?: string;
}

let envOfAll: Readonly<Record<string, string>> = {};

/** Gives the services of all clusters that this test file starts more of an environment. */
export function useServiceEnv(env: Readonly<Record<string, string>>): void {
  envOfAll = env;
}

/** The whole product on real processes: services, Redis nodes, Postgres and the processor. */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const { services: count, redisNodes: redisCount = 3, env = {} } = options;
  const wire = wireOfRun();
  const dataDir = await mkdtemp(join(tmpdir(), "payonce-test-cluster-"));
  const [database, sandbox, redisNodes] = await Promise.all([
    createDatabase(),
    startSandboxUnderTest(join(dataDir, "sandbox"), sandboxSettings(wire)),
    Promise.all(Array.from({ length: redisCount }, () => startRedisNodeUnderTest())),
  ]);
  const services: ServiceProcess[] = [];
  const addService: Cluster["addService"] = async (more = {}, entry = options.entry) => {
    const service = await startServiceProcess({
      env: {
        DATABASE_URL: database.url,
        ...processorSettings(wire, wireAddress(sandbox, wire)),
        DATA_DIR: join(dataDir, `service-${services.length}`),
        LOG_LEVEL: "warn",
        ...(redisCount === 0 ? {} : { REDIS_URLS: redisNodes.map(({ url }) => url).join(",") }),
        ...envOfAll,
        ...env,
        ...more,
      },
      ...(entry === undefined ? {} : { entry }),
    });
    services.push(service);
    return service;
  };
  await Promise.all(Array.from({ length: count }, () => addService()));
  return {
    services,
    redisNodes,
    database,
    sandbox,
    targets: () => services.map(({ grpcAddress }) => grpcAddress),
    addService,
    async stop() {
      await Promise.all(services.map((service) => service.stop()));
      await Promise.all([...redisNodes, sandbox].map((server) => server.stop()));
      await database.drop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
