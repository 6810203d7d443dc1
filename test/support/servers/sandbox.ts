import { spawn } from "node:child_process";
import { on, once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { compiledEntry } from "../service/compile.js";

const CLI = fileURLToPath(new URL("../../../src/cli.ts", import.meta.url));

export interface SandboxUnderTest {
  readonly address: string;
  /** Of the face in Stripe's form, where SANDBOX_STRIPE_LISTEN is given. */
  readonly stripeAddress: string | undefined;
  kill(signal: NodeJS.Signals): void;
  /** Resolves with the exit code once the process has ended; null after a signal. */
  readonly exited: Promise<number | null>;
  /** kill -9: what the journal holds is all that stays. */
  stop(): Promise<void>;
}

/** Starts `payonce sandbox` as a process of its own on a free port. */
export async function startSandboxUnderTest(
  dataDir: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<SandboxUnderTest> {
  const child = spawn(process.execPath, [await compiledEntry(CLI), "sandbox"], {
    env: { SANDBOX_LISTEN: "127.0.0.1:0", DATA_DIR: dataDir, ...settings },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit").then(([code]) => (typeof code === "number" ? code : null));
  const addresses: string[] = [];
  const expected = settings.SANDBOX_STRIPE_LISTEN === undefined ? 1 : 2;
  for await (const [line] of on(createInterface(child.stdout), "line")) {
    const address = /(127\.0\.0\.1:\d+)/.exec(String(line))?.[1];
    if (address === undefined) {
      throw new Error(`the sandbox did not tell its address: ${line}`);
    }
    addresses.push(address);
    if (addresses.length === expected) {
      break;
    }
  }
  const [address = "", stripeAddress] = addresses;
  return {
    address,
    stripeAddress,
    kill: (signal) => child.kill(signal),
    exited,
    async stop() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}
