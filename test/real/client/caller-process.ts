import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { compiledEntry } from "../../support/service/compile.js";
import type { CallerOptions, CallerReport } from "./caller.js";

const PROGRAM = fileURLToPath(new URL("caller.ts", import.meta.url));

export interface CallerProcess {
  readonly report: CallerReport;
  /** kill -9, and waits. */
  kill(): Promise<void>;
}

/** Starts a caller as a process of its own, and waits until it has come to its moment. */
export async function startCaller(options: CallerOptions): Promise<CallerProcess> {
  const child = spawn(process.execPath, [await compiledEntry(PROGRAM), JSON.stringify(options)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  const line = await Promise.race([
    once(createInterface(child.stdout), "line"),
    exited.then(([code]) => Promise.reject(new Error(`the caller ended with code ${code}`))),
  ]);
  return {
    report: JSON.parse(String(line)),
    async kill() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}
