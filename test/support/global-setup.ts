import type { TestProject } from "vitest/node";
import { startPostgresUnderTest } from "./servers/postgres.js";
import { startRedisNodeUnderTest } from "./servers/redis.js";

declare module "vitest" {
  interface ProvidedContext {
    /** A superuser's URL; a test file takes a database of its own with `createDatabase`. */
    readonly postgresUrl: string;
    /** Three nodes that all test files share: name the keys apart, and do not harm the nodes. */
    readonly redisUrls: readonly string[];
  }
}

/** Starts the servers that the test files of one project share. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const givenUrl = process.env.TEST_DATABASE_URL;
  const postgres = givenUrl === undefined ? await startPostgresUnderTest() : undefined;
  const redisNodes = await Promise.all([1, 2, 3].map(() => startRedisNodeUnderTest()));
  project.provide("postgresUrl", givenUrl ?? postgres?.url ?? "");
  project.provide(
    "redisUrls",
    redisNodes.map((node) => node.url),
  );
  return async () => {
    await Promise.all(redisNodes.map((node) => node.stop()));
    await postgres?.stop();
  };
}
