import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Redis } from "ioredis";
import { describe, expect, it, onTestFinished } from "vitest";
import { findRedisServer } from "../../../src/dev-servers/redis.js";
import { requireRedisServer } from "../../support/servers/redis.js";
import {
  isRunning,
  runService,
  temporaryDataDir,
} from "../../support/service/run-embedded-service.js";

describe("the embedded Redis nodes", () => {
  it("are three, listen on this machine only and write nothing down", async () => {
    const dataDir = await temporaryDataDir();
    const { urls } = await runService(dataDir, "redis");
    expect(new Set(urls).size).toBe(3);
    for (const url of urls) {
      expect(new URL(url).hostname).toBe("127.0.0.1");
      const node = connect(url);
      await node.set("key", "value");
      expect(await node.config("GET", "bind")).toEqual(["bind", "127.0.0.1"]);
      expect(await node.config("GET", "save")).toEqual(["save", ""]);
      expect(await node.config("GET", "appendonly")).toEqual(["appendonly", "no"]);
    }
    expect(readdirSync(join(dataDir, "redis", "node-1"))).toEqual(["redis.pid"]);
  });

  it("stay until the service that was interrupted at its terminal has drained", async () => {
    const service = await runService(await temporaryDataDir(), "redis");
    await service.interrupt();
    expect(service.output).toContain("drained");
    expect(service.pids.filter(isRunning)).toEqual([]);
  });

  it("that outlived a killed service are ended by the next one, paused ones too", async () => {
    const dataDir = await temporaryDataDir();
    const first = await runService(dataDir, "redis");
    await first.kill();
    expect(first.pids.filter(isRunning)).toEqual(first.pids);
    process.kill(first.pids[0] ?? 0, "SIGSTOP");
    const next = await runService(dataDir, "redis");
    expect(first.pids.filter(isRunning)).toEqual([]);
    expect(next.pids.filter(isRunning)).toEqual(next.pids);
  });

  it("are refused to a second service with the same DATA_DIR", async () => {
    const dataDir = await temporaryDataDir();
    const first = await runService(dataDir, "redis");
    await expect(runService(dataDir, "redis")).rejects.toThrow(/DATA_DIR: .* is in use/);
    expect(await connect(first.urls[0] ?? "").ping()).toBe("PONG");
  });
});

describe("the search for a Redis server", () => {
  it("finds it in any folder of the PATH", () => {
    expect(findRedisServer(`/nowhere:${process.env.PATH}`)).toBe(requireRedisServer());
  });

  it("finds nothing where there is none", () => {
    expect(findRedisServer("/nowhere:")).toBeUndefined();
  });
});

function connect(url: string): Redis {
  const client = new Redis(url);
  onTestFinished(() => client.disconnect());
  return client;
}
