import { readdirSync, readFileSync } from "node:fs";

/** Linux counts in hundredths of a second, whatever the kernel's own tick is (proc(5), USER_HZ). */
const TICK_MS = 10;

/** Whose work is told apart. */
export const PARTS = ["server", "redis", "postgres", "generator"] as const;

type Part = (typeof PARTS)[number];

/** Milliseconds of CPU time. */
export type CpuTimes = Readonly<Partial<Record<Part, number>>>;

/** Starts to measure the CPU time of processes and of their children. Returns what reads it. */
export function startCpuMeter(
  processes: Readonly<Partial<Record<Part, readonly number[]>>>,
): () => CpuTimes {
  const parts = PARTS.flatMap((part) => {
    const pids = processes[part];
    return pids === undefined ? [] : [{ part, pids, beforeMs: cpuMsOf(pids) }];
  });
  return () =>
    Object.fromEntries(parts.map(({ part, pids, beforeMs }) => [part, cpuMsOf(pids) - beforeMs]));
}

function cpuMsOf(pids: readonly number[]): number {
  return readdirSync("/proc")
    .flatMap((name) => statOf(Number(name)) ?? [])
    .filter(({ pid, parentPid }) => pids.includes(pid) || pids.includes(parentPid))
    .map(({ pid, ownMs, endedChildrenMs }) => ownMs + (pids.includes(pid) ? endedChildrenMs : 0))
    .reduce((sum, ms) => sum + ms, 0);
}

function statOf(pid: number) {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined; // not a process, or it has ended
  }
  // The name stands in parentheses and may hold anything; the state after it is field 3.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const field = (number: number) => Number(fields[number - 3]);
  return {
    pid,
    parentPid: field(4),
    ownMs: (field(14) + field(15)) * TICK_MS,
    endedChildrenMs: (field(16) + field(17)) * TICK_MS,
  };
}
