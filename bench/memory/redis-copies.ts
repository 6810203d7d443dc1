import { Redis } from "ioredis";
import { waitUntil } from "../../test/support/service/service-process.js";
import type { Lab } from "../lab/lab.js";
import { summaryOf } from "../report/figures.js";
import type { GroupResult } from "../report/result.js";
import { startMeasuredServer } from "./measured-server.js";
import { memoryLine } from "./memory-line.js";

const CALLERS = 128;
const WARM_UP_CALLS = 2_000;

/** Enough that what a node needs besides counts for little. */
const COPIES = 50_000;
const SAMPLED_COPIES = 200;

/** Copies are sent behind the answers. Milliseconds. */
const ARRIVAL_LIMIT_MS = 10_000;

/** What a copy of an answer of 200 bytes takes in one Redis node, of three that each keep one. */
export async function studyRedisCopies(lab: Lab): Promise<GroupResult> {
  const [url = ""] = lab.redis.urls;
  const node = new Redis(url);
  try {
    const server = await startMeasuredServer(lab, "a Redis gate");
    await server.call({ count: WARM_UP_CALLS, atOnce: CALLERS });
    await node.flushall();
    const before = await usedBytes(node);
    await server.call({ count: COPIES, atOnce: CALLERS });
    await waitUntil(async () => (await node.dbsize()) === COPIES, ARRIVAL_LIMIT_MS);
    const bytesPerCopy = ((await usedBytes(node)) - before) / COPIES;
    const row = memoryLine({
      measured: "a copy of 200 bytes in a Redis node",
      atOnce: CALLERS,
      ratios: [bytesPerCopy],
    });
    const line = {
      copies: COPIES,
      used_memory: bytesPerCopy,
      "MEMORY USAGE": summaryOf(await sampledBytes(node)).median,
    };
    return { rows: [row], tables: [{ title: "One Redis node, bytes a copy", lines: [line] }] };
  } finally {
    node.disconnect();
  }
}

async function usedBytes(node: Redis): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await node.info("memory"))?.[1]);
}

/** Of some copies, each with its name. */
function sampledBytes(node: Redis): Promise<readonly number[]> {
  return Promise.all(
    Array.from({ length: SAMPLED_COPIES }, async () =>
      Number(await node.memory("USAGE", (await node.randomkey()) ?? "")),
    ),
  );
}
