import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { compiledEntry } from "../../test/support/service/compile.js";
import type { Reply } from "../programs/answering.js";

/** Longer than any stretch of work here, so only a program that hangs is given up. Milliseconds. */
const ANSWER_LIMIT_MS = 300_000;

/** A process of the bench's own that answers one question after another. */
export interface Program<Question, Answer> {
  readonly pid: number;
  /** @throws what the program threw, or that it has ended or does not answer. */
  ask(question: Question): Promise<Answer>;
  stop(): Promise<void>;
}

/** Starts a file of `bench/programs`, with flags of node's if it needs them. Ends with this process. */
export async function startProgram<Question, Answer>(
  name: string,
  settings: unknown = {},
  flags: readonly string[] = [],
): Promise<Program<Question, Answer>> {
  const source = fileURLToPath(new URL(`../programs/${name}.ts`, import.meta.url));
  const child = fork(await compiledEntry(source), [JSON.stringify(settings)], {
    serialization: "advanced",
    execArgv: [...process.execArgv, ...flags],
  });
  const exited = once(child, "exit");
  const { pid } = child;
  if (pid === undefined) {
    throw new Error(`${name} did not start`);
  }
  return {
    pid,
    async ask(question) {
      child.send({ question });
      const ended = exited.then(() => Promise.reject(new Error(`${name} has ended`)));
      const signal = AbortSignal.timeout(ANSWER_LIMIT_MS);
      const [reply] = await Promise.race([once(child, "message", { signal }), ended]);
      // The other end is built from the same source.
      const { answer, error } = reply as Reply<Answer>;
      if (error !== undefined) {
        throw new Error(`${name}: ${error}`);
      }
      return answer;
    },
    async stop() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}
