import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { processIdentity } from "../../../src/dev-servers/processes.js";
import { compiledEntry } from "./compile.js";

export type ServerKind = "postgres" | "redis";

export interface Service {
  readonly process: ChildProcess;
  readonly urls: readonly string[];
  /** The servers' process ids. */
  readonly pids: readonly number[];
  /** All lines printed so far, logs included. */
  readonly output: readonly string[];
  /** kill -9 of the service alone. */
  kill(): Promise<void>;
  /** Ctrl-C at its terminal: SIGINT for its whole process group. Resolves once it has ended. */
  interrupt(): Promise<void>;
}

/** A folder for one test, which as a temporary folder of root's only root may enter. */
export async function temporaryDataDir(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "payonce-test-embedded-"));
  onTestFinished(() => rm(path, { recursive: true, maxRetries: 10 }));
  return path;
}

/** Starts a process that owns embedded servers. Throws with its output when it could not start. */
export async function runService(dataDir: string, kind: ServerKind): Promise<Service> {
  const { child, output } = await spawnService(dataDir, kind);
  const ended = once(child, "close");
  while (!output.some((line) => line.startsWith("{"))) {
    await Promise.race([ended, once(child.stdout, "data")]);
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Error(output.join("\n"));
    }
  }
  const { urls, pids } = JSON.parse(output.find((line) => line.startsWith("{")) ?? "");
  onTestFinished(() => killAll([child.pid ?? 0, ...pids]));
  return {
    process: child,
    urls,
    pids,
    output,
    async kill() {
      child.kill("SIGKILL");
      await once(child, "exit");
    },
    async interrupt() {
      process.kill(-(child.pid ?? 0), "SIGINT");
      await ended;
    },
  };
}

export async function spawnService(dataDir: string, kind: ServerKind) {
  const entry = await compiledEntry(
    fileURLToPath(new URL("../entries/embedded-service.ts", import.meta.url)),
  );
  const child = spawn(process.execPath, [entry, dataDir, kind], {
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const output: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => output.push(...String(chunk).split("\n").filter(Boolean)));
  }
  return { child, output };
}

export function isRunning(pid: number): boolean {
  return processIdentity(pid) !== undefined;
}

export async function killAll(pids: readonly number[]): Promise<void> {
  const running = pids.filter(isRunning);
  for (const pid of running) {
    process.kill(pid, "SIGKILL");
  }
  while (running.some(isRunning)) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
