import { readdir, realpath, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { processIdentity } from "./processes.js";

const CLAIM_PREFIX = ".lock-";

/** Two processes that start together both step back; by then one of them has had a turn alone. */
const ATTEMPTS = 5;
const LONGEST_PAUSE_MS = 100;

export interface DirectoryLock {
  /** The locked directory, absolute and without symbolic links. */
  readonly path: string;
  release(): Promise<void>;
}

export class DirectoryInUseError extends Error {
  override readonly name = "DirectoryInUseError";

  constructor(
    readonly path: string,
    readonly holderPid: number,
  ) {
    super(`${path} is in use by the running process ${holderPid}`);
  }
}

/**
 * Locks an existing directory against other processes of this machine. The
 * lock of a process that was killed counts no longer.
 *
 * Each contender puts a file named after itself into the directory and then
 * looks for the files of others. Whoever sees another live one withdraws, so
 * two can never both stay. Only files of dead processes are removed by others,
 * and their names never come back: no lock is ever taken from a live holder.
 *
 * @throws DirectoryInUseError
 */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  const path = await realpath(directory);
  const claim = `${CLAIM_PREFIX}${processIdentity(process.pid)}`;
  for (let attempt = 1; ; attempt++) {
    await placeClaim(path, claim);
    const holderPid = await liveHolderBeside(path, claim);
    if (holderPid === undefined) {
      return { path, release: () => rm(join(path, claim), { force: true }) };
    }
    await rm(join(path, claim));
    if (attempt === ATTEMPTS) {
      throw new DirectoryInUseError(path, holderPid);
    }
    await sleep(Math.random() * LONGEST_PAUSE_MS);
  }
}

async function placeClaim(path: string, claim: string): Promise<void> {
  try {
    await writeFile(join(path, claim), "", { flag: "wx" });
  } catch (error) {
    const heldByThisProcess = error instanceof Error && "code" in error && error.code === "EEXIST";
    throw heldByThisProcess ? new DirectoryInUseError(path, process.pid) : error;
  }
}

async function liveHolderBeside(path: string, ownClaim: string): Promise<number | undefined> {
  for (const name of await readdir(path)) {
    if (!name.startsWith(CLAIM_PREFIX) || name === ownClaim) {
      continue;
    }
    const identity = name.slice(CLAIM_PREFIX.length);
    const pid = Number.parseInt(identity, 10);
    if (processIdentity(pid) === identity) {
      return pid;
    }
    await rm(join(path, name), { force: true });
  }
  return undefined;
}
