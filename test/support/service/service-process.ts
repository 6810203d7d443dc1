import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { compiledEntry } from "./compile.js";

/** How long a process may take to say that it is ready, on a busy machine. */
const START_LIMIT_MS = 30_000;

export interface ServiceProcess {
  readonly pid: number;
  readonly grpcAddress: string;
  readonly httpAddress: string;
  /** All that the process has printed so far. */
  output(): string;
  kill(signal: NodeJS.Signals): void;
  /** Resolves with the exit code once the process has ended; null after a signal. */
  readonly exited: Promise<number | null>;
  /** kill -9, and waits. */
  stop(): Promise<void>;
}

export interface ServiceProcessOptions {
  readonly env: Readonly<Record<string, string>>;
  /** The program, if not the command line itself: a TypeScript file under test/, or JavaScript. */
  readonly entry?: string;
  /** Flags; where none are given, everybody is an operator if nobody is authenticated. */
  readonly args?: readonly string[];
}

/** Starts `payonce serve` as a process of its own, on free ports, and waits until it is ready. */
export async function startServiceProcess({
  env,
  entry = fileURLToPath(new URL("../../../src/cli.ts", import.meta.url)),
  args = isAuthenticated(env) ? [] : ["--insecure-operator"],
}: ServiceProcessOptions): Promise<ServiceProcess> {
  const program = entry.endsWith(".ts") ? await compiledEntry(entry) : entry;
  const child = spawn(process.execPath, [program, "serve", ...args], {
    env: { PATH: "", GRPC_LISTEN: "127.0.0.1:0", HTTP_LISTEN: "127.0.0.1:0", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = collect(child);
  const exited = once(child, "exit").then(([code]) => (typeof code === "number" ? code : null));
  const isReady = () => output().includes("payonce is ready");
  await waitUntil(() => isReady() || child.exitCode !== null, START_LIMIT_MS);
  if (!isReady()) {
    child.kill("SIGKILL");
    throw new Error(`the service did not start:\n${output()}`);
  }
  return {
    pid: child.pid ?? 0,
    grpcAddress: addressAfter("gRPC", output()),
    httpAddress: addressAfter("HTTP", output()),
    output,
    kill: (signal) => child.kill(signal),
    exited,
    async stop() {
      child.kill("SIGCONT");
      child.kill("SIGKILL");
      await exited;
    },
  };
}

function isAuthenticated(env: ServiceProcessOptions["env"]): boolean {
  return "AUTH_TOKENS_FILE" in env || "TLS_CLIENT_CA_FILE" in env;
}

/** Polls until the condition holds. Fails after the limit. */
export async function waitUntil(
  condition: () => boolean | Promise<boolean>,
  limitMs: number,
): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (!(await condition())) {
    if (performance.now() > deadline) {
      throw new Error(`still not so after ${limitMs} ms`);
    }
    await sleep(20);
  }
}

function collect(child: ChildProcess): () => string {
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (part: string) => {
      text += part;
    });
  }
  return () => text;
}

function addressAfter(name: string, output: string): string {
  const address = new RegExp(`^ +${name} +(\\S+)`, "m").exec(output)?.[1];
  if (address === undefined) {
    throw new Error(`no ${name} address in:\n${output}`);
  }
  return address;
}
