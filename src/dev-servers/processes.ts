import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** Linux tells about processes in files; elsewhere `ps` is asked. */
const hasProcFiles = existsSync("/proc/self/stat");

/** The time between two looks for the end of a process: short beside a shutdown, cheap on a busy machine. Milliseconds. */
const POLL_INTERVAL_MS = 25;

/**
 * A name for one run of one process: a pid that another process got later has
 * another identity, also after a reboot. Safe in a file name. Undefined when
 * no such process runs.
 */
export function processIdentity(pid: number): string | undefined {
  const start = hasProcFiles ? startOnLinux(pid) : ps(pid, "lstart")?.replace(/\W/g, "");
  return start === undefined ? undefined : `${pid}-${start}`;
}

/** The command line of a running process; empty when there is no such process. */
export function processArguments(pid: number): readonly string[] {
  return hasProcFiles
    ? (readText(`/proc/${pid}/cmdline`) ?? "").split("\0")
    : (ps(pid, "command") ?? "").split(" ");
}

export interface EndingStep {
  readonly signal: NodeJS.Signals;
  /** The time that the process has to end after this signal. Milliseconds. */
  readonly waitMs: number;
}

/**
 * Sends the signals in turn until the process is gone, sooner where there is a
 * limit: no signal may wait longer than half of what is left of it. Throws when
 * the process outlives them all.
 */
export async function endProcess(
  pid: number,
  steps: readonly EndingStep[],
  limitMs = Number.POSITIVE_INFINITY,
): Promise<void> {
  const identity = processIdentity(pid);
  let leftMs = limitMs;
  for (const step of steps) {
    if (identity === undefined || processIdentity(pid) !== identity) {
      return;
    }
    sendSignal(pid, step.signal);
    const waitMs = Math.min(step.waitMs, leftMs / 2);
    for (let waitedMs = 0; waitedMs < waitMs; waitedMs += POLL_INTERVAL_MS) {
      if (processIdentity(pid) !== identity) {
        return;
      }
      await sleep(POLL_INTERVAL_MS);
    }
    leftMs -= waitMs;
  }
  if (identity !== undefined && processIdentity(pid) === identity) {
    throw new Error(`Process ${pid} did not end`);
  }
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    const endedMeanwhile = error instanceof Error && "code" in error && error.code === "ESRCH";
    if (!endedMeanwhile) {
      throw error;
    }
  }
}

function startOnLinux(pid: number): string | undefined {
  const stat = readText(`/proc/${pid}/stat`);
  if (stat === undefined) {
    return undefined;
  }
  // proc(5): the name stands in parentheses and may hold spaces and parentheses
  // itself; the state is field 3, the start in clock ticks since boot field 22.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const isZombie = fields[0] === "Z" || fields[0] === "X";
  const bootId = readText("/proc/sys/kernel/random/boot_id")?.slice(0, 8);
  return isZombie ? undefined : `${fields[19]}-${bootId}`;
}

function ps(pid: number, column: "lstart" | "command"): string | undefined {
  try {
    const printed = execFileSync("ps", ["-o", `${column}=`, "-p", String(pid)], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    return printed.trim() || undefined;
  } catch {
    return undefined; // ps fails when no process has this pid
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined; // the process has ended
  }
}
