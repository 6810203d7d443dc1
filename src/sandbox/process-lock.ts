import { link, readFile, rename, rm, writeFile } from "node:fs/promises";

/** A lock file that names the process holding it, so that a dead one's is taken over. */
export interface ProcessLock {
  release(): Promise<void>;
}

// Each round more means that another process changed the lock in between.
const ROUND_LIMIT = 5;

/** @throws if a living process holds the lock. */
export async function acquireProcessLock(path: string): Promise<ProcessLock> {
  const own = `${process.pid} ${(await startTimeOf(process.pid)) ?? "unknown"}\n`;
  for (let round = 0; round < ROUND_LIMIT; round += 1) {
    if (await createWhole(path, own)) {
      return { release: () => rm(path, { force: true }) };
    }
    const holder = await readIfThere(path);
    if (holder === undefined) {
      continue;
    }
    if (await isAlive(path, holder)) {
      break;
    }
    await removeIfUnchanged(path, holder);
  }
  throw new Error(`${path} is held by another process; a data directory serves one at a time`);
}

/** A link appears with its content; a file that is created and then written may be seen empty. */
async function createWhole(path: string, content: string): Promise<boolean> {
  const draft = `${path}.${process.pid}.draft`;
  await writeFile(draft, content);
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if (hasCode(error, "EEXIST")) {
      return false;
    }
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

/** Two processes may find the same dead holder: what the slower one moves aside may be the faster one's. */
async function removeIfUnchanged(path: string, content: string): Promise<void> {
  const aside = `${path}.${process.pid}.stale`;
  try {
    await rename(path, aside);
  } catch (error) {
    if (hasCode(error, "ENOENT")) {
      return;
    }
    throw error;
  }
  if ((await readFile(aside, "utf8")) !== content) {
    await link(aside, path);
  }
  await rm(aside);
}

async function isAlive(path: string, holder: string): Promise<boolean> {
  const match = /^(\d+) (\S+)\n$/.exec(holder);
  if (match === null) {
    throw new Error(`${path} is not a lock file of this program; remove it if nothing uses it`);
  }
  const pid = Number(match[1]);
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it lives and belongs to somebody else.
    return hasCode(error, "EPERM");
  }
  // Pids are reused; a pid with its start time is not.
  const startTime = await startTimeOf(pid);
  return startTime === undefined || startTime === match[2];
}

/**
 * When a process started, in clock ticks since boot: field 22 of
 * /proc/pid/stat (proc(5)). Undefined where there is no /proc. A process that
 * is dead and only not yet reaped has no start time to match: "dead".
 */
async function startTimeOf(pid: number): Promise<string | undefined> {
  const stat = await readIfThere(`/proc/${pid}/stat`);
  if (stat === undefined) {
    return undefined;
  }
  // The second field is the command in brackets, and may itself hold spaces and brackets.
  const [state, ...fields] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return state === "Z" || state === "X" ? "dead" : fields[18];
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT")) {
      return undefined;
    }
    throw error;
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
