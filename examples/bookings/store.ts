import type { Pool, PoolClient } from "pg";
import type { IdempotencyStore } from "../../src/index.js";
import { createPostgresStore, watchDeployment } from "../../src/stores/postgres/index.js";
import { connectRedisNodes, redisGate } from "../../src/stores/redis/index.js";

const COPY_TTL_MS = 3_600_000;

/** Postgres decides. Redis nodes in front of it make duplicates cheap, and may be left out. */
export async function openStore(
  pool: Pool,
  redisUrls: readonly string[],
): Promise<IdempotencyStore<PoolClient>> {
  const { deployment, lossySetting } = await watchDeployment(pool);
  const store = createPostgresStore(pool, { lossySetting });
  if (redisUrls.length === 0) {
    return store;
  }
  return redisGate({
    store,
    nodes: connectRedisNodes(redisUrls, (url, error) => console.error(url, error.message)),
    namespace() {
      const { id, generation } = deployment();
      return `bookings:${id}:${generation}`;
    },
    copyTtlMs: COPY_TTL_MS,
  });
}
