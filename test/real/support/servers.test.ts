import { Redis } from "ioredis";
import pg from "pg";
import { describe, expect, inject, it, onTestFinished } from "vitest";
import { createDatabase } from "../../support/servers/postgres.js";
import { startRedisNodeUnderTest } from "../../support/servers/redis.js";

describe("the servers of a test run", () => {
  it("give each file a database of its own", async () => {
    const one = await createDatabase();
    const other = await createDatabase();
    onTestFinished(() => other.drop());
    const client = new pg.Client({ connectionString: one.url });
    client.on("error", () => {}); // its database is dropped under it
    await client.connect();
    await client.query("CREATE TABLE written_here (id int)");
    expect(await tableExists(one.url)).toBe(true);
    expect(await tableExists(other.url)).toBe(false);
    await one.drop();
    await expect(tableExists(one.url)).rejects.toThrow(/does not exist/);
  });

  it("are three Redis nodes that know nothing of each other", async () => {
    const nodes = inject("redisUrls").map((url) => connect(url));
    expect(nodes).toHaveLength(3);
    const key = `servers-test-${process.pid}`;
    await nodes[0]?.set(key, "here", "EX", 60);
    expect(await Promise.all(nodes.map((node) => node.get(key)))).toEqual(["here", null, null]);
  });
});

describe("a Redis node under test", () => {
  it("answers again once it is resumed, with what it held", async () => {
    const node = await startNode();
    await connect(node.url).set("key", "value");
    node.pause();
    const paused = connect(node.url, { commandTimeout: 200, maxRetriesPerRequest: 0 });
    await expect(paused.get("key")).rejects.toThrow();
    node.resume();
    expect(await connect(node.url).get("key")).toBe("value");
  });

  it("comes back empty on its port after a kill", async () => {
    const node = await startNode();
    await connect(node.url).set("key", "value");
    await node.kill();
    const killed = connect(node.url, { maxRetriesPerRequest: 0 });
    await expect(killed.get("key")).rejects.toThrow();
    await node.restart();
    expect(await connect(node.url).get("key")).toBeNull();
  });
});

async function startNode() {
  const node = await startRedisNodeUnderTest();
  onTestFinished(() => node.stop());
  return node;
}

function connect(
  url: string,
  options: { commandTimeout?: number; maxRetriesPerRequest?: number } = {},
) {
  const client = new Redis(url, options);
  client.on("error", () => {}); // a dead node is the point of some of these tests
  onTestFinished(() => client.disconnect());
  return client;
}

async function tableExists(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query("SELECT to_regclass('written_here') IS NOT NULL AS found");
    return rows[0]?.found;
  } finally {
    await client.end();
  }
}
