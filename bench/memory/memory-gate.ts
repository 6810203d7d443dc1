import type { Lab } from "../lab/lab.js";
import type { GroupResult } from "../report/result.js";
import { startMeasuredServer } from "./measured-server.js";
import { MEBIBYTE, memoryLine } from "./memory-line.js";

const CALLERS = 128;
const WARM_UP_CALLS = 2_000;

/** What the gate says that its copies may take together. */
const BOUND_BYTES = 32 * MEBIBYTE;

/** A step less than the bound, so that each answer of the first one is kept. */
const STEP_CALLS = 20_000;

/** A gate is full when a step adds less than this part of what the first one added. */
const FULL_AT = 0.1;

/** Answers of 200 bytes alone, with nothing around them, would fill the bound in fewer. */
const MAX_STEPS = 20;

/** Besides the copies, a gate knows which calls are in flight. */
const OF_BOUND_AT_MOST = 1.1;

/** What a copy of an answer of 200 bytes takes in a gate inside the process, and all of them at most. */
export async function studyMemoryGate(lab: Lab): Promise<GroupResult> {
  const server = await startMeasuredServer(lab, "a memory gate");
  await server.call({ count: WARM_UP_CALLS, atOnce: CALLERS }); // what grows once has grown then
  const before = await server.memory();
  /** By which the memory has grown, after each step. Bytes. */
  const grown: number[] = [];
  let isFull = false;
  while (!isFull && grown.length < MAX_STEPS) {
    await server.call({ count: STEP_CALLS, atOnce: CALLERS });
    const last = grown.at(-1) ?? 0;
    grown.push((await server.memory()).live - before.live);
    isFull = (grown.at(-1) ?? 0) - last < FULL_AT * (grown[0] ?? 0);
  }
  const rows = [
    memoryLine({
      measured: "a copy of 200 bytes in a memory gate",
      atOnce: CALLERS,
      ratios: [(grown[0] ?? 0) / STEP_CALLS],
    }),
    memoryLine({
      measured: "all copies in a memory gate",
      baseline: "its bound of 32 MiB",
      atOnce: CALLERS,
      floor: OF_BOUND_AT_MOST,
      ratios: [Math.max(...grown) / BOUND_BYTES],
    }),
  ];
  const lines = grown.map((bytes, step) => ({
    "answers of 200 bytes": (step + 1) * STEP_CALLS,
    "live memory": bytes / MEBIBYTE,
  }));
  const title = isFull ? "A memory gate until it is full" : "A memory gate that was never full";
  return { rows, tables: [{ title: `${title}; MiB`, lines }] };
}
