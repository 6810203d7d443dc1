import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { compiledEntry } from "../../support/service/compile.js";
import { connect, type GrpcClient } from "./support.js";

export interface SandboxProcess extends GrpcClient {
  readonly process: ChildProcess;
  readonly address: string;
  /** kill -9, and waits for the end. */
  kill(): Promise<void>;
}

const ENTRY = fileURLToPath(new URL("../../../src/dev-servers/sandbox-entry.ts", import.meta.url));

/** The sandbox compiled, ready to be started as a process. */
export function buildSandbox(): Promise<string> {
  return compiledEntry(ENTRY);
}

/** Starts a built sandbox. It ends with the test at the latest. */
export async function startProcess(main: string, dataDir: string): Promise<SandboxProcess> {
  const child = fork(main, ["127.0.0.1:0", dataDir]);
  const exited = once(child, "exit");
  const kill = async () => {
    child.kill("SIGKILL");
    await exited;
  };
  onTestFinished(kill);
  const address = await Promise.race([
    once(child, "message").then(([message]) => String(message.address)),
    exited.then(() => {
      throw new Error("the sandbox did not start");
    }),
  ]);
  return { ...connect(address), process: child, address, kill };
}
