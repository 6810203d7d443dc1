import { delimiter } from "node:path";
import { runCommand } from "../../support/grpcurl.js";

/** Some dozens of commands, two of which sleep; npx alone needs a second on a busy machine. */
const SESSION_LIMIT_MS = 3 * 60_000;

/**
 * Runs commands one after the other in one shell, as a person does, and
 * returns what each printed, standard error included.
 */
export async function runInShell(options: {
  readonly commands: readonly string[];
  /** Searched before the PATH. */
  readonly programs: string;
  readonly limitMs?: number;
}): Promise<readonly string[]> {
  const { commands, programs, limitMs = SESSION_LIMIT_MS } = options;
  const separator = `--- end of a command ${process.pid} ---\n`;
  const printSeparator = `printf '%s' '${separator}'`;
  const script = ["exec 2>&1", ...commands.flatMap((command) => [command, printSeparator])];
  const { stdout } = await runCommand({
    command: "bash",
    args: ["-c", script.join("\n")],
    env: { PATH: `${programs}${delimiter}${process.env.PATH ?? ""}` },
    limitMs,
  });
  const outputs = stdout.replaceAll("\r\n", "\n").split(separator).slice(0, -1);
  if (outputs.length !== commands.length) {
    throw new Error(`the shell ended in ${commands[outputs.length]}:\n${stdout}`);
  }
  return outputs;
}
