import { brokenChecks } from "./config/checks.js";
import { type Misspelling, misspelling } from "./config/misspelled.js";
import {
  type Config,
  flagOf,
  INSECURE_FLAG,
  INSECURE_OPERATOR_FLAG,
  type SettingName,
  type Settings,
  settingNames,
  settings,
} from "./config/settings.js";

export { type Address, formatAddress, isLoopback } from "./config/address.js";
export { configWarnings } from "./config/checks.js";
export { configFlags, configHelp } from "./config/help.js";
export type { ProcessorTarget } from "./config/parsers.js";
export { type Config, INSECURE_FLAG, type SettingName } from "./config/settings.js";

/** Settings that were refused. Stops the start. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";

  /** @param problems one line each, naming the variable or the flag and what it accepts. */
  constructor(readonly problems: readonly string[]) {
    super(problems.join("\n"));
  }
}

export interface ConfigSources {
  /** Absent: the environment of this process. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** The values of `parseArgs`; they beat the environment. Flags of other kinds are left alone. */
  readonly flags?: Readonly<Record<string, unknown>>;
}

/**
 * Reads all settings from the environment and the command line. Opens no file.
 * @throws ConfigError that names everything that is wrong.
 */
export function readConfig({ env = process.env, flags = {} }: ConfigSources = {}): Config {
  const readings = settingNames.map((name) => readSetting(name, { env, flags }));
  const labels = new Map<string, string>([
    ...readings.map(({ name, label }) => [name, label] as const),
    [INSECURE_OPERATOR_FLAG, `--${INSECURE_OPERATOR_FLAG}`],
  ]);
  const refused = readings.filter(({ accepted }) => !accepted).map(({ name }) => name);
  // Where the setting is given as well nothing was missed: platforms have
  // DATABASE_PUBLIC_URL beside DATABASE_URL.
  const misspelled = Object.keys(env)
    .flatMap((name) => misspelling(name) ?? [])
    .filter(({ intended }) => !isGiven(intended, { env, flags }));
  const config: Config = {
    // Each value comes from the table's row of that name, whence Config has its type.
    ...(Object.fromEntries(readings.map(({ name, value }) => [name, value])) as Settings),
    insecure: flags[INSECURE_FLAG] === true,
    insecureOperator: flags[INSECURE_OPERATOR_FLAG] === true,
    misspelled: misspelled.filter(({ effect }) => effect === "warns").map(misspellingText),
    searchPath: env.PATH ?? "",
  };
  const problems = [
    ...Object.keys(env)
      .filter((name) => NOT_BUILT.test(name))
      .map((name) => `${name} is no setting: this build knows no JWT; AUTH_TOKENS_FILE is`),
    ...misspelled.filter(({ effect }) => effect === "stops").map(misspellingText),
    ...refused.map((name) => `${labels.get(name)} accepts ${settings[name].parser.accepts}`),
    ...brokenChecks(config, new Set(refused)).map(
      ({ subject, accepts }) => `${labels.get(subject)} accepts ${accepts}`,
    ),
  ];
  if (problems.length > 0) {
    throw new ConfigError(problems);
  }
  return config;
}

/** Who gives these means that callers are authenticated by them, and would be open to all. */
const NOT_BUILT = /^AUTH_JWT_/;

interface Reading {
  readonly name: SettingName;
  /** The variable, or the flag if that was given. */
  readonly label: string;
  readonly accepted: boolean;
  /** The default, where the text was not accepted. */
  readonly value: unknown;
}

// Problems never repeat the text that was given: it may be a secret, also one
// that was meant for another variable.
function readSetting(name: SettingName, { env, flags }: Required<ConfigSources>): Reading {
  const { variable, parser, otherwise } = settings[name];
  const flag = flags[flagOf(variable)];
  const label = flag === undefined ? variable : `--${flagOf(variable)}`;
  const text = flag ?? env[variable];
  if (text === undefined) {
    return { name, label, accepted: true, value: otherwise.value };
  }
  const value = typeof text === "string" ? parser.parse(text) : undefined;
  return { name, label, accepted: value !== undefined, value: value ?? otherwise.value };
}

function isGiven(variable: string, { env, flags }: Required<ConfigSources>): boolean {
  return (flags[flagOf(variable)] ?? env[variable]) !== undefined;
}

function misspellingText({ name, intended }: Misspelling): string {
  return `${name} is no setting; ${intended} is`;
}
