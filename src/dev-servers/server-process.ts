import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { type EndingStep, endProcess } from "./processes.js";

/** Enough of a failed server's output to hold its reason. */
const LAST_LINES = 20;

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly uid?: number;
  readonly gid?: number;
}

export interface ServerProcessOptions {
  /** The name of the server in logs and errors. */
  readonly name: string;
  readonly command: Command;
  /** Part of the line that the server prints once it accepts connections. */
  readonly readyText: string;
  readonly startLimitMs: number;
  readonly endingSteps: readonly EndingStep[];
  readonly log: (line: string) => void;
}

export interface ServerProcess {
  readonly pid: number;
  /** Ends the server and waits for it, within the limit if there is one. Calling it again is harmless. */
  stop(limitMs?: number): Promise<void>;
}

export class ServerStartError extends Error {
  override readonly name = "ServerStartError";

  constructor(
    message: string,
    readonly output: string,
  ) {
    super(`${message}: ${reasonIn(output.split("\n")) ?? "it said nothing"}`);
  }
}

/** The line among a program's output that says why it failed: the first that is an error, else the last. */
export function reasonIn(lines: readonly string[]): string | undefined {
  const said = lines.map((line) => line.trim()).filter((line) => line !== "");
  return said.find((line) => /\b(error|fatal|panic)\b/i.test(line)) ?? said.at(-1);
}

/**
 * Runs a server as a child process until it says that it is ready.
 *
 * @throws ServerStartError with the server's last lines in `output`, when it
 *   ends before that or exceeds the limit
 */
export async function startServerProcess(options: ServerProcessOptions): Promise<ServerProcess> {
  const { name, log, endingSteps } = options;
  const child = spawnServer(options.command);
  const pid = await spawnedPid(child, name);
  try {
    await untilReady(child, options);
  } catch (error) {
    await endProcess(pid, endingSteps);
    throw error;
  }
  let isStopping = false;
  child.once("exit", (code, signal) => {
    if (!isStopping) {
      log(`${name} ended unexpectedly (${signal ?? `exit code ${code}`})`);
    }
  });
  return {
    pid,
    async stop(limitMs) {
      isStopping = true;
      await endProcess(pid, endingSteps, limitMs);
    },
  };
}

async function untilReady(child: ChildProcess, options: ServerProcessOptions): Promise<void> {
  const { name, readyText, startLimitMs, log } = options;
  const lastLines: string[] = [];
  const ready = new Promise<"ready">((resolve) => {
    readLines(child, (line) => {
      log(line);
      lastLines.push(line);
      if (lastLines.length > LAST_LINES) {
        lastLines.shift();
      }
      if (line.includes(readyText)) {
        resolve("ready");
      }
    });
  });
  const waiting = new AbortController();
  const result = await Promise.race([
    ready,
    once(child, "close", waiting).then(() => "ended before it was ready" as const),
    sleep(startLimitMs, "was not ready in time" as const, waiting),
  ]);
  waiting.abort();
  if (result !== "ready") {
    throw new ServerStartError(`${name} ${result}`, lastLines.join("\n"));
  }
}

function spawnServer({ file, args, uid, gid }: Command): ChildProcess {
  return spawn(file, args, {
    // A process group of its own: Ctrl-C at a terminal goes to the whole group,
    // and the service still needs its servers while it drains.
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    // Nothing of the service's environment may change what the server does or says.
    env: { LC_ALL: "C", TZ: "UTC" },
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
  });
}

async function spawnedPid(child: ChildProcess, name: string): Promise<number> {
  await once(child, "spawn");
  if (child.pid === undefined) {
    throw new Error(`${name} has no process id`);
  }
  return child.pid;
}

function readLines(child: ChildProcess, onLine: (line: string) => void): void {
  for (const stream of [child.stdout, child.stderr]) {
    if (stream !== null) {
      createInterface({ input: stream }).on("line", onLine);
    }
  }
}
