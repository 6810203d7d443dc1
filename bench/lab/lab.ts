import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Shutdown } from "../../src/server/shutdown.js";
import { guard } from "../../test/support/servers/guard.js";
import type { Answered, Plan } from "../load/plan.js";
import { createDatabases, type Databases } from "./databases.js";
import { type Program, startProgram } from "./program.js";
import { startPostgres, startRedis } from "./servers.js";

/** The servers that all rows share, and the load generator. */
export interface Lab {
  readonly generator: Program<Plan, Answered>;
  readonly redis: { readonly urls: readonly string[]; readonly pids: readonly number[] };
  readonly postgres: { readonly pid: number; readonly databases: Databases };
  /** A folder for the data of whatever is started. */
  readonly dataDir: string;
  /** Ends what was started since. */
  readonly shutdown: Shutdown;
}

/** Starts all of it. What ends it goes to the shutdown. */
export async function openLab(shutdown: Shutdown): Promise<Lab> {
  const dataDir = await mkdtemp(join(tmpdir(), "payonce-bench-"));
  const guarded = guard({ directory: dataDir });
  shutdown.add(() => guarded.close());
  const generator = await startProgram<Plan, Answered>("generator");
  shutdown.add(() => generator.stop());
  const nodes = await startRedis(shutdown);
  const redis = { urls: nodes.map(({ url }) => url), pids: nodes.map(({ pid }) => pid) };
  const { url, pid } = await startPostgres(shutdown);
  const databases = createDatabases({ url, redisUrls: redis.urls, dataDir, generator });
  return { generator, redis, postgres: { pid, databases }, dataDir, shutdown };
}
