import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { within } from "../runtime/within.js";
import type { ProfileName } from "../sandbox/profiles.js";
import type { StripeFaceOptions } from "../sandbox/server.js";

const ENTRY = fileURLToPath(new URL("./sandbox-entry.js", import.meta.url));

export interface SandboxProcess {
  readonly address: string;
  /** The address of the face in Stripe's form, where there is one. */
  readonly stripeAddress: string | undefined;
  readonly pid: number;
  /** Lets it end by itself; ends it where that takes more than half of the limit. */
  stop(limitMs: number): Promise<void>;
}

export interface SandboxProcessOptions extends StripeFaceOptions {
  /** host:port; port 0 takes a free one. */
  readonly listen: string;
  readonly dataDir: string;
  /** Holds the token that faults take. */
  readonly tokenFile: string | undefined;
  /** The acquirer whose habits it takes on; none unless given. */
  readonly profile?: ProfileName | undefined;
}

/** What follows in a message where the third argument of the child process says so: arguments are seen by everybody on the machine. */
export const OPTIONS_FOLLOW = "options-follow";
export type SandboxEntryOptions = Omit<SandboxProcessOptions, "listen" | "dataDir">;

/** The one message of the child process: where it listens, or why it does not. */
export type SandboxMessage =
  | {
      readonly kind: "listening";
      readonly address: string;
      readonly stripeAddress?: string | undefined;
    }
  | { readonly kind: "failed"; readonly message: string };

/**
 * Starts the sandbox processor as a process of its own, as a real processor
 * would be. It ends with this process, however that ends: the channel between
 * them closes.
 * @throws if it cannot start; the message names the setting.
 */
export async function startSandboxProcess({
  listen,
  dataDir,
  ...options
}: SandboxProcessOptions): Promise<SandboxProcess> {
  const child = fork(ENTRY, [listen, dataDir, OPTIONS_FOLLOW], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    detached: true, // Ctrl-C reaches this process's group; calls under way still need the processor
  });
  const exited = once(child, "exit");
  const rest: SandboxEntryOptions = options;
  child.send(rest, () => undefined); // a child that has ended says so by its exit
  const started = await Promise.race([
    once(child, "message").then(([message]): SandboxMessage => message),
    exited.then(
      ([code]): SandboxMessage => ({
        kind: "failed",
        message: `the sandbox processor ended at once (exit code ${code})`,
      }),
    ),
  ]);
  if (started.kind === "failed") {
    await exited;
    throw new Error(started.message);
  }
  return {
    address: started.address,
    stripeAddress: started.stripeAddress,
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
