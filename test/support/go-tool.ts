import { execFile, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

/** Where programs are kept that Go has built. */
export const GO_TOOLS_FOLDER = fileURLToPath(new URL("../../.cache/bin", import.meta.url));

/** The first build downloads and compiles: one to two minutes on two cores, more beside other work. */
export const GO_BUILD_LIMIT_MS = 8 * 60_000;

export interface GoTool {
  /** Whether it is there or can be built here. */
  readonly isAvailable: boolean;
  /** Returns its path, and builds it if this is the first time: within GO_BUILD_LIMIT_MS. */
  find(): Promise<string>;
}

/** A program that Go builds, at a version that the package's path names. */
export function createGoTool(name: string, packagePath: string): GoTool {
  const path = join(GO_TOOLS_FOLDER, name);
  const isAvailable = existsSync(path) || spawnSync("go", ["version"]).status === 0;
  if (!isAvailable) {
    console.warn(`${name} needs Go to be built, and there is none: its tests are left out`);
  }
  return {
    isAvailable,
    async find() {
      if (!existsSync(path)) {
        await buildAlone(name, packagePath);
      }
      return path;
    },
  };
}

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end, whatever its exit code. */
export function runCommand(options: {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly limitMs: number;
}): Promise<CommandResult> {
  const { command, args, env, limitMs } = options;
  return new Promise((resolve) => {
    execFile(
      command,
      [...args],
      { timeout: limitMs, env: { ...process.env, ...env } },
      (error, stdout, stderr) => {
        const code = typeof error?.code === "number" ? error.code : error === null ? 0 : -1;
        resolve({ code, stdout, stderr });
      },
    );
  });
}

// Making a directory is atomic, so it serves as a lock between test processes.
// No one waits for longer than a build may take: then the lock is abandoned.
const LOCK_POLL_MS = 200;

async function buildAlone(name: string, packagePath: string): Promise<void> {
  const lock = join(GO_TOOLS_FOLDER, `${name}.lock`);
  await mkdir(GO_TOOLS_FOLDER, { recursive: true });
  while (!(await tookLock(lock))) {
    await sleep(LOCK_POLL_MS);
  }
  try {
    if (!existsSync(join(GO_TOOLS_FOLDER, name))) {
      await build(name, packagePath, lock);
    }
  } finally {
    await rm(lock, { recursive: true });
  }
}

async function tookLock(lock: string): Promise<boolean> {
  try {
    await mkdir(lock);
    return true;
  } catch {
    await dropAbandonedLock(lock);
    return false;
  }
}

// A build that was killed leaves its lock behind.
async function dropAbandonedLock(lock: string): Promise<void> {
  const made = await stat(lock).catch(() => undefined);
  if (made !== undefined && Date.now() - made.mtimeMs > GO_BUILD_LIMIT_MS) {
    await rm(lock, { recursive: true, force: true });
  }
}

async function build(name: string, packagePath: string, lock: string): Promise<void> {
  const { code, stderr } = await runCommand({
    command: "go",
    args: ["install", packagePath],
    // Within the lock, and then renamed: nobody ever sees half a program.
    env: { GOBIN: lock },
    limitMs: GO_BUILD_LIMIT_MS,
  });
  if (code !== 0) {
    throw new Error(`go install ${packagePath} failed:\n${stderr}`);
  }
  await rename(join(lock, name), join(GO_TOOLS_FOLDER, name));
}
