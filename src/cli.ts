#!/usr/bin/env node
import { parseArgs } from "node:util";
import { audit } from "./server/commands/audit.js";
import { type Command, UsageError } from "./server/commands/command.js";
import { inspect } from "./server/commands/inspect.js";
import { migrate } from "./server/commands/migrate.js";
import { sandbox } from "./server/commands/sandbox.js";
import { serve } from "./server/commands/serve.js";
import { storm } from "./server/commands/storm.js";
import { ConfigError } from "./server/config.js";

const commands: ReadonlyMap<string, Command> = new Map(
  Object.entries({ serve, sandbox, migrate, storm, inspect, audit }),
);

/** What a wrong command line ends with; 1 is for a command that failed. */
const USAGE_EXIT_CODE = 2;

async function main([name = "", ...args]: readonly string[]): Promise<number> {
  const command = commands.get(name);
  if (command === undefined) {
    if (["", "help", "--help", "-h"].includes(name)) {
      console.log(overview());
      return 0;
    }
    throw new UsageError(
      `there is no command ${JSON.stringify(name)}; there are ${[...commands.keys()].join(", ")}`,
    );
  }
  const { values } = parse(command, args);
  if (values.help === true) {
    console.log(`payonce ${name}: ${command.summary}\n\n${command.help()}`);
    return 0;
  }
  return command.run(values);
}

function parse(command: Command, args: string[]) {
  try {
    const options = { ...command.options, help: { type: "boolean", short: "h" } } as const;
    return parseArgs({ args, options, allowPositionals: false });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function overview(): string {
  const lines = [...commands].map(([name, { summary }]) => `  ${name.padEnd(9)}${summary}`);
  return [
    "payonce <command> [flags]",
    "",
    ...lines,
    "",
    "payonce <command> --help lists its flags",
  ].join("\n");
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode =
    error instanceof UsageError || error instanceof ConfigError ? USAGE_EXIT_CODE : 1;
}
