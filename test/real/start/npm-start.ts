import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { processIdentity } from "../../../src/dev-servers/processes.js";
import { waitUntil } from "../../support/service/service-process.js";

/** An install and a build come first, on a busy machine. */
export const START_LIMIT_MS = 4 * 60_000;

/** How long processes may take to be gone, Postgres with its last checkpoint among them. */
const END_LIMIT_MS = 30_000;

export interface StartedService {
  /** All that was printed so far. */
  output(): string;
  /** Those still running of all processes: npm, the service, and the servers that it started. */
  running(): readonly Process[];
  /** Ctrl-C at the terminal: SIGINT for the whole job. Resolves once npm has given the terminal back. */
  interrupt(): Promise<void>;
  /** kill -9 of every process. */
  kill(): Promise<void>;
}

export interface Process {
  readonly pid: number;
  readonly command: string;
}

/** Runs `npm start` as a stranger would, but for the ports, and waits until it says that it is ready. */
export async function npmStart(
  checkout: string,
  env: Readonly<Record<string, string>> = {},
): Promise<StartedService> {
  const child = spawn("npm", ["start"], {
    cwd: checkout,
    env: {
      PATH: process.env.PATH ?? "",
      HOME: process.env.HOME ?? checkout,
      // What was downloaded before is not asked for again.
      npm_config_prefer_offline: "true",
      GRPC_LISTEN: "127.0.0.1:0",
      HTTP_LISTEN: "127.0.0.1:0",
      SANDBOX_LISTEN: "127.0.0.1:0",
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true, // a job of its own, as at a terminal
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (part: string) => {
      text += part;
    });
  }
  const exited = once(child, "exit");
  const { pid = 0 } = child;
  const isReady = () => text.includes("Send this twice");
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  await waitUntil(() => isReady() || hasEnded(), START_LIMIT_MS).catch(() => {}); // told below
  const processes = processTree(pid);
  const running = () => processes.filter(isRunning);
  const kill = async () => {
    for (const { pid } of running()) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has ended with its parent meanwhile.
      }
    }
    await waitUntil(() => running().length === 0, END_LIMIT_MS);
  };
  if (!isReady()) {
    await kill();
    throw new Error(`npm start did not get ready:\n${text}`);
  }
  return {
    output: () => text,
    running,
    async interrupt() {
      process.kill(-pid, "SIGINT");
      await exited;
    },
    kill,
  };
}

function isRunning({ pid }: Process): boolean {
  return processIdentity(pid) !== undefined;
}

/** A process and all that descend from it, also those in groups of their own. */
function processTree(root: number): readonly Process[] {
  const listed = execFileSync("ps", ["-eo", "pid=,ppid=,args="], { encoding: "utf8" });
  const all = listed.split("\n").flatMap((line) => {
    const [, pid, parent, command] = /^ *(\d+) +(\d+) (.*)$/.exec(line) ?? [];
    return command === undefined ? [] : [{ pid: Number(pid), parent: Number(parent), command }];
  });
  const descendants = (parent: number): Process[] =>
    all
      .filter((each) => each.parent === parent)
      .flatMap((each) => [each, ...descendants(each.pid)]);
  return [...all.filter(({ pid }) => pid === root), ...descendants(root)];
}
