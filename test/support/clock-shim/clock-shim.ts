import { execFile, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmod, mkdir, open, readFile, rename, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const SOURCE = fileURLToPath(new URL("clock-shim.c", import.meta.url));
const OUTPUT_FOLDER = fileURLToPath(new URL("../../../.cache/compiled", import.meta.url));
const run = promisify(execFile);

/** Whether processes can be given a clock of their own here: by the loader of Linux, and gcc. */
export const clockShimAvailable =
  process.platform === "linux" && spawnSync("gcc", ["--version"]).status === 0;

if (!clockShimAvailable) {
  console.warn("Shifted clocks need Linux and gcc: their tests are left out");
}

/** A wall clock for processes that are started with its environment. */
export interface ShiftedClock {
  readonly env: Readonly<Record<"LD_PRELOAD" | "CLOCK_SHIM_FILE", string>>;
  /** How far the clock is ahead from now on, also for processes that run. Seconds. */
  shift(seconds: number): Promise<void>;
}

/** Makes a clock that is right until it is shifted. The folder keeps its file. */
export async function createShiftedClock(directory: string): Promise<ShiftedClock> {
  const file = join(directory, "clock-shift");
  const bytes = (seconds: number) => {
    const buffer = Buffer.alloc(8);
    buffer.writeBigInt64LE(BigInt(seconds));
    return buffer;
  };
  await writeFile(file, bytes(0));
  return {
    env: { LD_PRELOAD: await compiledShim(), CLOCK_SHIM_FILE: file },
    async shift(seconds) {
      // Never truncated: processes have it mapped.
      const handle = await open(file, "r+");
      await handle.write(bytes(seconds), 0, 8, 0);
      await handle.close();
    },
  };
}

/**
 * A program that runs another one under the clock, as the same process.
 *
 * @returns its path, in the folder
 */
export async function withClock(
  program: string,
  { env }: ShiftedClock,
  directory: string,
): Promise<string> {
  const path = join(directory, basename(program));
  const variables = Object.entries(env).map(([name, value]) => `${name}='${value}'`);
  await writeFile(path, `#!/bin/sh\nexec env ${variables.join(" ")} '${program}' "$@"\n`);
  await chmod(path, 0o755);
  return path;
}

let compiled: Promise<string> | undefined;

/** Processes that run at the same time may share the library, so it is named after its source. */
function compiledShim(): Promise<string> {
  compiled ??= compile();
  return compiled;
}

async function compile(): Promise<string> {
  const hash = createHash("sha256")
    .update(await readFile(SOURCE))
    .digest("hex")
    .slice(0, 16);
  const library = join(OUTPUT_FOLDER, `clock-shim-${hash}.so`);
  const unfinished = `${library}.${process.pid}`;
  await mkdir(OUTPUT_FOLDER, { recursive: true });
  await run("gcc", ["-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o", unfinished, SOURCE]);
  await rename(unfinished, library);
  return library;
}
