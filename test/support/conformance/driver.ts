import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Code } from "../../../src/idempotency/answers/code.js";

/** One line for a driver. `clients/conformance/README.md` explains the fields. */
export interface Call {
  readonly target: string;
  readonly method: string;
  readonly request: Readonly<Record<string, unknown>>;
  readonly requestBytes?: string;
  readonly key?: string;
  readonly deadlineMs: number;
  readonly cancelAfterMs?: number;
  readonly serviceConfig?: string;
  readonly options?: {
    readonly maxAttempts?: number;
    readonly initialBackoffMs?: number;
    readonly maxBackoffMs?: number;
  };
}

/** What a driver says of a call that has ended. */
export interface Answer {
  readonly code: keyof typeof Code;
  readonly reason: string;
  readonly key: string;
  readonly attempts: number;
  readonly replayed: boolean;
  /** Base64. */
  readonly response: string;
}

/** A client of some language, as a process that makes calls as it is told. */
export interface Driver {
  /** @throws if the process ends first. */
  call(call: Call): Promise<Answer>;
  /** Lets it end by itself, and expects that it does so in order. */
  stop(): Promise<void>;
}

/** Starts the program, a path below `clients`. */
export function startDriver(program: string): Driver {
  const path = fileURLToPath(new URL(`../../../clients/${program}`, import.meta.url));
  const child = spawn(path, { stdio: ["pipe", "pipe", "pipe"] });
  const waiting = new Map<string, PromiseWithResolvers>();
  const errors: string[] = [];
  let calls = 0;

  createInterface({ input: child.stdout }).on("line", (line) => {
    const { id, ...answer }: Answer & { readonly id: string } = JSON.parse(line);
    waiting.get(id)?.resolve(answer);
    waiting.delete(id);
  });
  child.stderr.on("data", (bytes) => errors.push(String(bytes)));
  const ended = hasEnded(child);
  void ended.then((how) => {
    for (const { reject } of waiting.values()) {
      reject(new Error(`the driver ${program} ended (${how}): ${errors.join("").slice(-2_000)}`));
    }
  });

  return {
    call(call) {
      calls += 1;
      const id = String(calls);
      return new Promise((resolve, reject) => {
        waiting.set(id, { resolve, reject });
        child.stdin.write(`${JSON.stringify({ id, ...call })}\n`);
      });
    },
    async stop() {
      child.stdin.end();
      const how = await ended;
      if (how !== "code 0") {
        throw new Error(`the driver ${program} ended (${how}): ${errors.join("").slice(-2_000)}`);
      }
    },
  };
}

interface PromiseWithResolvers {
  resolve(answer: Answer): void;
  reject(error: Error): void;
}

/** Resolves once the process has ended, or could not start, with the words for how. */
async function hasEnded(child: ChildProcess): Promise<string> {
  child.stdin?.on("error", () => {}); // its exit says more
  try {
    const [code, signal] = await once(child, "exit");
    return code === null ? `signal ${signal}` : `code ${code}`;
  } catch (error) {
    return String(error);
  }
}
