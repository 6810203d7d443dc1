import { startEmbeddedPostgres } from "../../../src/dev-servers/postgres.js";
import { findRedisServer, startRedisNodes } from "../../../src/dev-servers/redis.js";

// A process that owns embedded servers as the service does: `service.ts <data folder> postgres|redis`.

const [, , dataDir = "", kind] = process.argv;

/** Longer than a server takes to stop, had the signal reached it too. */
const DRAIN_MS = 500;

try {
  const servers = kind === "redis" ? await startRedis() : await startPostgres();
  process.once("SIGINT", async () => {
    await new Promise((resolve) => setTimeout(resolve, DRAIN_MS));
    console.log(servers.pids.every(isRunning) ? "drained" : "a server ended before the drain");
    await servers.stop();
  });
  console.log(JSON.stringify({ urls: servers.urls, pids: servers.pids }));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

async function startPostgres() {
  const { url, pid, user, stop } = await startEmbeddedPostgres({ dataDir, log: console.error });
  if (user !== undefined) {
    console.error(`runs as ${user}`);
  }
  return { urls: [url], pids: [pid], stop };
}

async function startRedis() {
  const binary = findRedisServer(process.env.PATH ?? "") ?? "";
  const { urls, nodes, stop } = await startRedisNodes({
    binary,
    count: 3,
    dataDir,
    log: console.error,
  });
  return { urls, pids: nodes.map((node) => node.pid), stop };
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
