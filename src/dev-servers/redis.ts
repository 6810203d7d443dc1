import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { lockDataDirectory } from "./data-dir.js";
import { findProgram } from "./find-program.js";
import { findFreePort } from "./free-port.js";
import { type EndingStep, endProcess, processArguments } from "./processes.js";
import { ServerStartError, startServerProcess } from "./server-process.js";

const PROGRAMS = ["redis-server", "valkey-server"];
const PID_FILE = "redis.pid";
const START_LIMIT_MS = 10_000;

/** A port that was free may be taken before Redis binds it; hardly ever twice in a row. */
const START_ATTEMPTS = 5;

/** Without persistence there is nothing to save: a node that is not gone at once hangs. */
const ENDING_STEPS: readonly EndingStep[] = [
  { signal: "SIGTERM", waitMs: 2_000 },
  { signal: "SIGKILL", waitMs: 5_000 },
];

/** Finds a Redis or Valkey server in the folders of a PATH variable. */
export function findRedisServer(pathVariable: string): string | undefined {
  return findProgram(pathVariable, PROGRAMS);
}

export interface RedisNodeOptions {
  /** The server program, as `findRedisServer` finds it. */
  readonly binary: string;
  /** An existing folder for this node alone. */
  readonly directory: string;
  /** A free port, unless one is given. */
  readonly port?: number;
  readonly log: (line: string) => void;
}

export interface RedisNode {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  stop(limitMs?: number): Promise<void>;
}

/** Starts one node on 127.0.0.1 that keeps nothing on disk. */
export async function startRedisNode(options: RedisNodeOptions): Promise<RedisNode> {
  const { binary, directory, log } = options;
  for (let attempt = 1; ; attempt++) {
    const port = options.port ?? (await findFreePort());
    try {
      const server = await startServerProcess({
        name: `Redis on port ${port}`,
        command: { file: binary, args: settings(port, directory) },
        readyText: "Ready to accept connections",
        startLimitMs: START_LIMIT_MS,
        endingSteps: ENDING_STEPS,
        log,
      });
      return { url: `redis://127.0.0.1:${port}`, port, pid: server.pid, stop: server.stop };
    } catch (error) {
      const portIsTaken =
        error instanceof ServerStartError && error.output.includes("Address already in use");
      if (!portIsTaken || options.port !== undefined || attempt === START_ATTEMPTS) {
        throw error;
      }
    }
  }
}

export interface RedisNodesOptions {
  readonly binary: string;
  /** Odd, so that a majority of them is never a tie. */
  readonly count: number;
  /** The nodes' pid files are kept in its subfolder `redis`. */
  readonly dataDir: string;
  readonly log: (line: string) => void;
}

export interface RedisNodes {
  readonly urls: readonly string[];
  readonly nodes: readonly RedisNode[];
  /** Stops all nodes, within the limit if there is one, and gives the folder free. */
  stop(limitMs?: number): Promise<void>;
}

/**
 * Starts independent nodes for this process alone. Nodes left over by a killed
 * process are ended first.
 *
 * @throws when another process uses the folder, or a node cannot start
 */
export async function startRedisNodes(options: RedisNodesOptions): Promise<RedisNodes> {
  const { binary, count, log } = options;
  const lock = await lockDataDirectory(join(options.dataDir, "redis"));
  const nodes: RedisNode[] = [];
  const stop = async (limitMs?: number) => {
    await Promise.all(nodes.map((node) => node.stop(limitMs)));
    await lock.release();
  };
  try {
    await endLeftoverNodes(lock.path, log);
    for (let number = 1; number <= count; number++) {
      const directory = join(lock.path, `node-${number}`);
      await mkdir(directory);
      nodes.push(await startRedisNode({ binary, directory, log }));
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return { urls: nodes.map((node) => node.url), nodes, stop };
}

async function endLeftoverNodes(path: string, log: (line: string) => void): Promise<void> {
  const names = (await readdir(path)).filter((name) => name.startsWith("node-"));
  for (const name of names) {
    const directory = join(path, name);
    const pid = Number.parseInt(
      await readFile(join(directory, PID_FILE), "utf8").catch(() => ""),
      10,
    );
    // A pid that another process got meanwhile does not name this folder.
    if (processArguments(pid).includes(directory)) {
      log(`Ending a Redis node that an earlier run left over (process ${pid})`);
      await endProcess(pid, ENDING_STEPS);
    }
    await rm(directory, { recursive: true });
  }
}

function settings(port: number, directory: string): readonly string[] {
  return Object.entries({
    bind: "127.0.0.1",
    port: String(port),
    save: "",
    appendonly: "no",
    daemonize: "no",
    dir: directory,
    pidfile: join(directory, PID_FILE),
    // A leftover node is recognised by its command line.
    "set-proc-title": "no",
  }).flatMap(([name, value]) => [`--${name}`, value]);
}
