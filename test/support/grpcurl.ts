import { execFile, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const PACKAGE = "github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.4";
/** Where grpcurl is kept. */
export const GRPCURL_FOLDER = fileURLToPath(new URL("../../.cache/bin", import.meta.url));
const GRPCURL = join(GRPCURL_FOLDER, "grpcurl");

/** The first build downloads and compiles: one to two minutes on two cores, more beside other work. */
export const GRPCURL_BUILD_LIMIT_MS = 8 * 60_000;

/** A call hangs only if the server is broken. */
const CALL_LIMIT_MS = 20_000;

/** Whether grpcurl is there or can be built here. */
export const grpcurlAvailable = existsSync(GRPCURL) || spawnSync("go", ["version"]).status === 0;

if (!grpcurlAvailable) {
  console.warn("grpcurl needs Go to be built, and there is none: its tests are left out");
}

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs the real grpcurl, and builds it if this is the first time: a test file
 * calls it once in `beforeAll` with GRPCURL_BUILD_LIMIT_MS.
 */
export async function grpcurl(args: readonly string[]): Promise<CommandResult> {
  if (!existsSync(GRPCURL)) {
    await buildAlone();
  }
  return runCommand({ command: GRPCURL, args, limitMs: CALL_LIMIT_MS });
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
const LOCK = join(GRPCURL_FOLDER, "grpcurl.lock");
const LOCK_POLL_MS = 200;

async function buildAlone(): Promise<void> {
  await mkdir(GRPCURL_FOLDER, { recursive: true });
  while (!(await tookLock())) {
    await sleep(LOCK_POLL_MS);
  }
  try {
    if (!existsSync(GRPCURL)) {
      await build();
    }
  } finally {
    await rm(LOCK, { recursive: true });
  }
}

async function tookLock(): Promise<boolean> {
  try {
    await mkdir(LOCK);
    return true;
  } catch {
    await dropAbandonedLock();
    return false;
  }
}

// A build that was killed leaves its lock behind.
async function dropAbandonedLock(): Promise<void> {
  const made = await stat(LOCK).catch(() => undefined);
  if (made !== undefined && Date.now() - made.mtimeMs > GRPCURL_BUILD_LIMIT_MS) {
    await rm(LOCK, { recursive: true, force: true });
  }
}

async function build(): Promise<void> {
  const { code, stderr } = await runCommand({
    command: "go",
    args: ["install", PACKAGE],
    // Within the lock, and then renamed: nobody ever sees half a program.
    env: { GOBIN: LOCK },
    limitMs: GRPCURL_BUILD_LIMIT_MS,
  });
  if (code !== 0) {
    throw new Error(`go install ${PACKAGE} failed:\n${stderr}`);
  }
  await rename(join(LOCK, "grpcurl"), GRPCURL);
}
