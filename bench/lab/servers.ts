import { chmod, mkdtemp } from "node:fs/promises";
import { tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../../src/dev-servers/postgres.js";
import { type RedisNode, startRedisNode } from "../../src/dev-servers/redis.js";
import type { Shutdown } from "../../src/server/shutdown.js";
import { guard } from "../../test/support/servers/guard.js";
import { requireRedisServer } from "../../test/support/servers/redis.js";
import { query } from "./query.js";

const REDIS_NODES = 3;

/** Starts the Redis nodes of a bench. They never outlive this process. */
export function startRedis(shutdown: Shutdown): Promise<readonly RedisNode[]> {
  const binary = requireRedisServer();
  return Promise.all(
    Array.from({ length: REDIS_NODES }, async () => {
      const directory = await mkdtemp(join(tmpdir(), "payonce-bench-redis-"));
      const node = await startRedisNode({ binary, directory, log: () => {} });
      const guarded = guard({ pid: node.pid, directory });
      shutdown.add(() => guarded.close());
      shutdown.add(() => node.stop());
      return node;
    }),
  );
}

/**
 * Of the memory, for Postgres's own cache: what its documentation advises
 * (https://www.postgresql.org/docs/18/runtime-config-resource.html). The default
 * of 128 MB is for a machine of another age.
 */
const SHARED_BUFFERS = 1 / 4;

/** Starts a Postgres with all of its durability. It never outlives this process. */
export async function startPostgres(shutdown: Shutdown): Promise<EmbeddedPostgres> {
  const directory = await mkdtemp(join(tmpdir(), "payonce-bench-postgres-"));
  await chmod(directory, 0o755); // started by root, Postgres runs as another user
  const options = { dataDir: directory, log: () => {} };
  const untuned = await startEmbeddedPostgres(options);
  try {
    await query(untuned.url, `ALTER SYSTEM SET shared_buffers = '${sharedBuffersMb()}MB'`);
  } finally {
    await untuned.stop();
  }
  const postgres = await startEmbeddedPostgres(options);
  const guarded = guard({ pid: postgres.pid, signal: "QUIT", directory });
  shutdown.add(() => guarded.close());
  shutdown.add(() => postgres.stop());
  return postgres;
}

function sharedBuffersMb(): number {
  return Math.floor((totalmem() * SHARED_BUFFERS) / 2 ** 20);
}
