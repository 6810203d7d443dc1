import { Command } from "commander";
import { type Flags, flagOf, optionOf, readFlags, type Values } from "../config/flags.js";
import { type SettingName, settings } from "../config/settings.js";

/** A command line with a flag, or a value, that no command accepts. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** One command of the command line. */
export interface CommandDefinition<Own extends Flags> {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** The settings that it reads. */
  readonly settings?: readonly SettingName[];
  /** Its own flags. */
  readonly flags: Own;
  /** The text that `--help` prints below the flags. */
  readonly notes?: string;
  /**
   * Resolves with the exit code; rejects with an error whose message is for the
   * user. It imports what it needs to run, so that help and completion are quick.
   *
   * @param given all flags as `readConfig` takes them
   */
  readonly run: (flags: Values<Own>, given: Readonly<Record<string, unknown>>) => Promise<number>;
}

const ABOUT_SETTINGS = `
Each setting is also a variable of the environment: --grpc-listen as GRPC_LISTEN.
A flag beats the environment; what is insecure is a flag alone.`;

/** A command for the library of the command line. */
export function command<Own extends Flags>(definition: CommandDefinition<Own>): Command {
  const { name, summary, flags, notes = "", run } = definition;
  const names = definition.settings ?? [];
  const made = new Command(name).description(`payonce ${name}: ${summary}`).summary(summary);
  for (const setting of names) {
    made.addOption(optionOf(setting, settings[setting]));
  }
  for (const [flag, of] of Object.entries(flags)) {
    made.addOption(optionOf(flag, of));
  }
  return made
    .configureHelp({
      helpWidth: Number.MAX_SAFE_INTEGER, // a terminal folds long lines itself
      optionDescription: ({ description }) => description, // which has the default and the choices
    })
    .addHelpText("after", names.length === 0 ? "" : ABOUT_SETTINGS)
    .addHelpText("after", notes)
    .action(async (given: Readonly<Record<string, unknown>>) => {
      process.exitCode = await run(ownFlags(flags, given), given);
    });
}

function ownFlags<Own extends Flags>(
  flags: Own,
  given: Readonly<Record<string, unknown>>,
): Values<Own> {
  const { values, refused } = readFlags(flags, (name) => given[name]);
  if (refused.length > 0) {
    const lines = refused.map((name) => `${flagOf(name)} accepts ${flags[name]?.accepts}`);
    throw new UsageError(lines.join("\n"));
  }
  return values;
}
