import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { compiledEntry } from "../../support/service/compile.js";

export interface ExampleProcess {
  /** The port on 127.0.0.1 that it has said it listens on. */
  readonly port: number;
  /** kill -9, and waits. */
  kill(): Promise<void>;
}

/** Starts an example's server as a process of its own, and waits until it listens. */
export async function startExample(file: string, args: readonly string[]): Promise<ExampleProcess> {
  const entry = fileURLToPath(new URL(`../../../examples/${file}`, import.meta.url));
  return startProgram(await compiledEntry(entry), args);
}

/** The same for a program that is JavaScript already. */
export async function startProgram(
  program: string,
  args: readonly string[],
): Promise<ExampleProcess> {
  const child = spawn(process.execPath, [program, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  const said = await Promise.race([
    once(createInterface(child.stdout), "line").then(([line]) => String(line)),
    exited.then(() => ""),
  ]);
  const port = /127\.0\.0\.1:(\d+)$/.exec(said)?.[1];
  if (port === undefined) {
    throw new Error(`${program} did not tell its address: ${said}`);
  }
  return {
    port: Number(port),
    async kill() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}
