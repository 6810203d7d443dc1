import { brokenChecks } from "./config/checks.js";
import { flagOf, readFlags } from "./config/flags.js";
import { type Misspelling, misspelling } from "./config/misspelled.js";
import { type Config, type SettingName, settings, variableOf } from "./config/settings.js";

export { type Address, formatAddress, isLoopback } from "./config/address.js";
export { configWarnings } from "./config/checks.js";
export { type Config, insecureFlags } from "./config/settings.js";

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
  /** Flags by the names of settings; they beat the environment. Those of other names are left alone. */
  readonly flags?: Readonly<Record<string, unknown>>;
}

/**
 * Reads all settings from the environment and the command line. Opens no file.
 * @throws ConfigError that names everything that is wrong.
 */
export function readConfig({ env = process.env, flags = {} }: ConfigSources = {}): Config {
  const given = (name: string) => flags[name] ?? env[variableOf(name)];
  const { values, refused } = readFlags(settings, given);
  // Where the setting is given as well nothing was missed: platforms have
  // DATABASE_PUBLIC_URL beside DATABASE_URL.
  const misspelled = Object.keys(env)
    .flatMap((name) => misspelling(name) ?? [])
    .filter(({ intended }) => given(intended) === undefined);
  const config: Config = {
    ...values,
    insecure: flags.insecure === true,
    insecureOperator: flags.insecureOperator === true,
    misspelled: misspelled.filter(({ effect }) => effect === "warns").map(misspellingText),
    searchPath: env.PATH ?? "",
  };
  // Problems never repeat the text that was given: it may be a secret, also one
  // that was meant for another variable.
  const problem = (name: SettingName | "insecureOperator", accepts = "") => {
    const isFlag = name === "insecureOperator" || flags[name] !== undefined;
    return `${isFlag ? flagOf(name) : variableOf(name)} accepts ${accepts}`;
  };
  const problems = [
    ...Object.keys(env)
      .filter((name) => NOT_BUILT.test(name))
      .map((name) => `${name} is no setting: this build knows no JWT; AUTH_TOKENS_FILE is`),
    ...misspelled.filter(({ effect }) => effect === "stops").map(misspellingText),
    ...refused.map((name) => problem(name, settings[name].accepts)),
    ...brokenChecks(config, new Set(refused)).map(({ subject, accepts }) =>
      problem(subject, accepts),
    ),
  ];
  if (problems.length > 0) {
    throw new ConfigError(problems);
  }
  return config;
}

/** Settings that no build knows yet. A start with them is refused: whoever sets them expects callers to be authenticated. */
const NOT_BUILT = /^AUTH_JWT_/;

function misspellingText({ name, intended }: Misspelling): string {
  return `${name} is no setting; ${variableOf(intended)} is`;
}
