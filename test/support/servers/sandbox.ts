import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { compiledEntry } from "../service/compile.js";

const CLI = fileURLToPath(new URL("../../../src/cli.ts", import.meta.url));

export interface SandboxUnderTest {
  readonly address: string;
  kill(signal: NodeJS.Signals): void;
  /** Resolves with the exit code once the process has ended; null after a signal. */
  readonly exited: Promise<number | null>;
  /** kill -9: what the journal holds is all that stays. */
  stop(): Promise<void>;
}

/** Starts `payonce sandbox` as a process of its own on a free port. */
export async function startSandboxUnderTest(dataDir: string): Promise<SandboxUnderTest> {
  const child = spawn(process.execPath, [await compiledEntry(CLI), "sandbox"], {
    env: { SANDBOX_LISTEN: "127.0.0.1:0", DATA_DIR: dataDir },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit").then(([code]) => (typeof code === "number" ? code : null));
  const [line] = await once(createInterface(child.stdout), "line");
  const address = /(127\.0\.0\.1:\d+)/.exec(String(line))?.[1];
  if (address === undefined) {
    throw new Error(`the sandbox did not tell its address: ${line}`);
  }
  return {
    address,
    kill: (signal) => child.kill(signal),
    exited,
    async stop() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}
