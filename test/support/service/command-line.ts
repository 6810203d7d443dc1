import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { CommandResult } from "../grpcurl.js";
import { compiledEntry } from "./compile.js";

const CLI = fileURLToPath(new URL("../../../src/cli.ts", import.meta.url));

/** A command that should end by itself is ended here, on a busy machine too. */
const COMMAND_LIMIT_MS = 40_000;

/** Runs the command line to its end, with nothing in its environment but `env`. */
export async function payonce(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<CommandResult> {
  const entry = await compiledEntry(CLI);
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [entry, ...args],
      { env: { ...env }, timeout: COMMAND_LIMIT_MS },
      (error, stdout, stderr) => {
        // An error without a code of its own was a signal: the limit.
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
        resolve({ code, stdout, stderr });
      },
    );
  });
}
