import * as v from "valibot";
import { brokenChecks } from "./config/checks.js";
import { type Misspelling, misspelling } from "./config/misspelled.js";
import {
  acceptedBy,
  type Config,
  flagOf,
  INSECURE_FLAG,
  INSECURE_OPERATOR_FLAG,
  type SettingName,
  type Settings,
  settingNames,
  settingsSchema,
  variableOf,
} from "./config/settings.js";

export { type Address, formatAddress, isLoopback } from "./config/address.js";
export { configWarnings } from "./config/checks.js";
export { configFlags, configHelp } from "./config/help.js";
export type { ProcessorTarget } from "./config/schemas.js";
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
  const given = (name: SettingName) => flags[flagOf(name)] ?? env[variableOf(name)];
  const parsed = v.safeParse(
    settingsSchema,
    Object.fromEntries(settingNames.map((name) => [name, given(name)])),
  );
  const refused = new Set(settingNames.filter((name) => isRefused(name, parsed.issues)));
  // Where the setting is given as well nothing was missed: platforms have
  // DATABASE_PUBLIC_URL beside DATABASE_URL.
  const misspelled = Object.keys(env)
    .flatMap((name) => misspelling(name) ?? [])
    .filter(({ intended }) => given(intended) === undefined);
  const config: Config = {
    // What was refused has another type; no rule reads it, and nothing is returned.
    ...(parsed.output as Settings),
    insecure: flags[INSECURE_FLAG] === true,
    insecureOperator: flags[INSECURE_OPERATOR_FLAG] === true,
    misspelled: misspelled.filter(({ effect }) => effect === "warns").map(misspellingText),
    searchPath: env.PATH ?? "",
  };
  // Problems never repeat the text that was given: it may be a secret, also one
  // that was meant for another variable.
  const problem = (name: SettingName | typeof INSECURE_OPERATOR_FLAG, accepts: string) => {
    const isVariable = name !== INSECURE_OPERATOR_FLAG && flags[flagOf(name)] === undefined;
    const flag = name === INSECURE_OPERATOR_FLAG ? name : flagOf(name);
    return `${isVariable ? variableOf(name) : `--${flag}`} accepts ${accepts}`;
  };
  const problems = [
    ...Object.keys(env)
      .filter((name) => NOT_BUILT.test(name))
      .map((name) => `${name} is no setting: this build knows no JWT; AUTH_TOKENS_FILE is`),
    ...misspelled.filter(({ effect }) => effect === "stops").map(misspellingText),
    ...[...refused].map((name) => problem(name, acceptedBy(name))),
    ...brokenChecks(config, refused).map(({ subject, accepts }) => problem(subject, accepts)),
  ];
  if (problems.length > 0) {
    throw new ConfigError(problems);
  }
  return config;
}

function isRefused(name: SettingName, issues: readonly v.BaseIssue<unknown>[] = []): boolean {
  return issues.some(({ path }) => path?.[0]?.key === name);
}

/** Who gives these means that callers are authenticated by them, and would be open to all. */
const NOT_BUILT = /^AUTH_JWT_/;

function misspellingText({ name, intended }: Misspelling): string {
  return `${name} is no setting; ${variableOf(intended)} is`;
}
