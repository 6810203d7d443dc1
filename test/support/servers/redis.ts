import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { endProcess } from "../../../src/dev-servers/processes.js";
import { findRedisServer, type RedisNode, startRedisNode } from "../../../src/dev-servers/redis.js";
import { guard } from "./guard.js";

/** A Redis node that a test may treat badly. Its port, and so its URL, stays the same. */
export interface RedisNodeUnderTest {
  readonly url: string;
  readonly port: number;
  /** kill -9: all that the node held is lost. */
  kill(): Promise<void>;
  /** SIGSTOP: connections stay open and nothing answers. */
  pause(): void;
  /** SIGCONT. */
  resume(): void;
  /** Starts an empty node on the same port; kills the old one first if it still runs. */
  restart(): Promise<void>;
  /** Ends the node for good. */
  stop(): Promise<void>;
}

export interface RedisNodeUnderTestOptions {
  /** A free one unless given. */
  readonly port?: number;
  /** What is started, if not the redis-server on the PATH. */
  readonly binary?: string;
}

/** Starts a node that never outlives the test's process. */
export async function startRedisNodeUnderTest(
  options: RedisNodeUnderTestOptions = {},
): Promise<RedisNodeUnderTest> {
  const { binary = requireRedisServer(), ...address } = options;
  const start = async (listen: { readonly port?: number }) => {
    const directory = await mkdtemp(join(tmpdir(), "payonce-test-redis-"));
    const node = await startRedisNode({ binary, directory, log: () => {}, ...listen });
    return { ...node, guard: guard({ pid: node.pid, directory }) };
  };
  let running = await start(address);
  const { url, port } = running;
  const kill = async () => {
    await killNode(running);
    await running.guard.close();
  };
  return {
    url,
    port,
    kill,
    pause: () => process.kill(running.pid, "SIGSTOP"),
    resume: () => process.kill(running.pid, "SIGCONT"),
    async restart() {
      await kill();
      running = await start({ port });
    },
    stop: kill,
  };
}

function killNode({ pid }: RedisNode): Promise<void> {
  return endProcess(pid, [{ signal: "SIGKILL", waitMs: 5_000 }]);
}

export function requireRedisServer(): string {
  const binary = findRedisServer(process.env.PATH ?? "");
  if (binary === undefined) {
    throw new Error(
      "These tests need redis-server or valkey-server on the PATH; npm test installs it",
    );
  }
  return binary;
}
