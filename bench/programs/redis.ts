import { once } from "node:events";
import type { Redis } from "ioredis";
import { connectRedisNodes } from "../../src/stores/redis/index.js";

/** Connections to all nodes, made as the service makes them, and ready. */
export async function connectRedis(urls: readonly string[]): Promise<readonly Redis[]> {
  const nodes = connectRedisNodes(urls, (url, error) => console.error(url, error.message));
  await Promise.all(nodes.map((node) => once(node, "ready")));
  return nodes;
}
