import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startRedisNode } from "../../../src/dev-servers/redis.js";
import { createShiftedClock, withClock } from "../clock-shim/clock-shim.js";
import { guard } from "../servers/guard.js";
import { requireRedisServer } from "../servers/redis.js";

export interface ShiftedRedisNode {
  readonly url: string;
  /** How far the node's wall clock is ahead from now on. Seconds. */
  shift(seconds: number): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a Redis node whose clock can jump. */
export async function startShiftedRedisNode(): Promise<ShiftedRedisNode> {
  const directory = await mkdtemp(join(tmpdir(), "payonce-test-clock-"));
  const clock = await createShiftedClock(directory);
  const binary = await withClock(requireRedisServer(), clock, directory);
  const node = await startRedisNode({ binary, directory, log: () => {} });
  const guarded = guard({ pid: node.pid, directory });
  return {
    url: node.url,
    shift: clock.shift,
    async stop() {
      await node.stop();
      await guarded.close();
    },
  };
}
