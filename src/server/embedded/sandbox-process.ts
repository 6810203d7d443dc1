import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { within } from "../../runtime/within.js";

const ENTRY = fileURLToPath(new URL("./sandbox-entry.js", import.meta.url));

export interface SandboxProcess {
  readonly address: string;
  readonly pid: number;
  /** Lets it end by itself; ends it where that takes more than half of the limit. */
  stop(limitMs: number): Promise<void>;
}

export interface SandboxProcessOptions {
  /** host:port; port 0 takes a free one. */
  readonly listen: string;
  readonly dataDir: string;
}

/**
 * Starts the sandbox processor as a process of its own, as a real processor
 * would be. It ends with this process, however that ends: the channel between
 * them closes.
 */
export async function startSandboxProcess(options: SandboxProcessOptions): Promise<SandboxProcess> {
  const child = fork(ENTRY, [options.listen, options.dataDir], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    detached: true, // Ctrl-C reaches this process's group; calls under way still need the processor
  });
  const exited = once(child, "exit");
  const started: unknown = await Promise.race([
    once(child, "message").then(([message]) => message),
    exited.then(([code]) => {
      throw new Error(`PROCESSOR_URL: the sandbox processor ended at once (exit code ${code})`);
    }),
  ]);
  return {
    address: String(started),
    pid: child.pid ?? 0,
    async stop(limitMs) {
      if (child.connected) {
        child.disconnect();
      }
      if (!(await within(exited, limitMs / 2))) {
        child.kill("SIGKILL"); // its journal holds all that it has answered
        await exited;
      }
    },
  };
}
