import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { ConfigError } from "../config.js";
import { audit } from "./audit.js";
import { UsageError } from "./command.js";
import { completionOf } from "./completion.js";
import { inspect } from "./inspect.js";
import { migrate } from "./migrate.js";
import { reconcile } from "./reconcile.js";
import { sandbox } from "./sandbox.js";
import { serve } from "./serve.js";
import { storm } from "./storm.js";
import { webhooks } from "./webhooks.js";

const MANIFEST = new URL("../../../package.json", import.meta.url);

const commands: readonly Command[] = [
  ...[serve, sandbox, migrate, storm, inspect],
  ...[audit, reconcile, webhooks],
];

/** The command line with all its commands. Nothing of it ends the process. */
export function commandLine(): Command {
  const program = new Command("payonce")
    .usage("<command> [flags]")
    .enablePositionalOptions() // what follows a command is that command's
    .version(JSON.parse(readFileSync(MANIFEST, "utf8")).version)
    .addHelpText("after", "\npayonce <command> --help lists its flags");
  for (const command of commands) {
    program.addCommand(command);
  }
  program.addCommand(completionOf(program));
  for (const command of [program, ...program.commands]) {
    command.exitOverride().configureOutput({ outputError: () => {} });
  }
  return program;
}

/** Returns what is wrong with a command line, in one line; `undefined` for an error of another kind. */
export function usageProblem(error: unknown): string | undefined {
  if (error instanceof UsageError || error instanceof ConfigError) {
    return error.message;
  }
  if (!(error instanceof CommanderError)) {
    return undefined;
  }
  const names = commands.map((command) => command.name()).join(", ");
  return error.message
    .replace(/^error: /, "")
    .replace(/^unknown command '(.*)'/, (_, name) => {
      return `there is no command ${JSON.stringify(name)}; there are ${names}`;
    })
    .replace(/('--[^=']+)=[\s\S]*/, "$1'") // the value may be a secret
    .replace("\n", " ");
}
