import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tokenHash } from "../../src/server/tokens.js";
import { startPostgresUnderTest } from "../support/servers/postgres.js";
import { startRedisNodeUnderTest } from "../support/servers/redis.js";
import { startSandboxUnderTest } from "../support/servers/sandbox.js";
import { type ServiceProcess, startServiceProcess } from "../support/service/service-process.js";
import {
  CALLER_TOKEN,
  OPERATOR_TOKEN,
  OTHER_CALLER_TOKEN,
  OTHER_TENANT,
  REQUEST_TIMEOUT_MS,
  TENANT,
} from "./settings.js";

/** One service on servers of its own, which nobody harms but through its ports. */
export interface HostileCluster {
  readonly service: ServiceProcess;
  readonly databaseUrl: string;
  readonly sandboxAddress: string;
  /** The file of the processor's effects. */
  readonly journalPath: string;
  stop(): Promise<void>;
}

/** @param entry the program of the service, if not the command line itself. */
export async function startHostileCluster(entry?: string): Promise<HostileCluster> {
  const dataDir = await mkdtemp(join(tmpdir(), "payonce-hostile-"));
  const tokensFile = join(dataDir, "tokens.json");
  await writeFile(tokensFile, JSON.stringify(tokens));
  const sandboxDir = join(dataDir, "sandbox");
  const [postgres, redis, sandbox] = await Promise.all([
    startPostgresUnderTest(),
    startRedisNodeUnderTest(),
    startSandboxUnderTest(sandboxDir),
  ]);
  const service = await startServiceProcess({
    env: {
      DATABASE_URL: postgres.url,
      REDIS_URLS: redis.url,
      PROCESSOR_URL: sandbox.address,
      DATA_DIR: join(dataDir, "service"),
      AUTH_TOKENS_FILE: tokensFile,
      REQUEST_TIMEOUT_MS: String(REQUEST_TIMEOUT_MS),
      LOG_LEVEL: "info",
    },
    ...(entry === undefined ? {} : { entry }),
  });
  return {
    service,
    databaseUrl: postgres.url,
    sandboxAddress: sandbox.address,
    journalPath: join(sandboxDir, "sandbox", "journal.jsonl"),
    async stop() {
      await service.stop();
      await Promise.all([redis.stop(), sandbox.stop()]);
      await postgres.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

const tokens = [
  { sha256: tokenHash(CALLER_TOKEN), tenant: TENANT, role: "caller" },
  { sha256: tokenHash(OTHER_CALLER_TOKEN), tenant: OTHER_TENANT, role: "caller" },
  { sha256: tokenHash(OPERATOR_TOKEN), tenant: TENANT, role: "operator" },
];
