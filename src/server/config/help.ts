import {
  acceptedBy,
  descriptionOf,
  flagOf,
  INSECURE_FLAG,
  INSECURE_OPERATOR_FLAG,
  type SettingName,
  settingNames,
} from "./settings.js";

/** Flags that are no settings, with what they do. */
const INSECURE_FLAGS: readonly (readonly [flag: string, meaning: string])[] = [
  [INSECURE_FLAG, "lets a server listen beyond loopback without TLS and authentication"],
  [
    INSECURE_OPERATOR_FLAG,
    "makes everybody an operator; only on loopback and without authentication",
  ],
];

/** Flags as `parseArgs` of node:util takes them in `options`; all of them unless named. */
export function configFlags(
  names?: readonly SettingName[],
): Record<string, { readonly type: "string" | "boolean" }> {
  const flags = (names ?? settingNames).map((name) => [flagOf(name), { type: "string" }] as const);
  return {
    ...Object.fromEntries(flags),
    ...(names === undefined
      ? Object.fromEntries(INSECURE_FLAGS.map(([flag]) => [flag, { type: "boolean" }] as const))
      : {}),
  };
}

/** Settings as a table for people: each flag with its meaning, what it accepts and its default. */
export function configHelp(names?: readonly SettingName[]): string {
  const rows = (names ?? settingNames).map((name) => {
    const { meaning, otherwise } = descriptionOf(name);
    return [`--${flagOf(name)}`, meaning, `accepts ${acceptedBy(name)}`, `default: ${otherwise}`];
  });
  if (names === undefined) {
    rows.push(...INSECURE_FLAGS.map(([flag, meaning]) => [`--${flag}`, meaning]));
  }
  const width = Math.max(...rows.map(([flag = ""]) => flag.length)) + 4;
  const table = rows.map(([flag = "", ...lines]) =>
    lines.map((line, index) => (index === 0 ? `  ${flag}` : "").padEnd(width) + line).join("\n"),
  );
  return [
    "Each setting is also a variable of the environment: --grpc-listen as GRPC_LISTEN.",
    "A flag beats the environment; what is insecure is a flag alone.",
    "",
    ...table,
  ].join("\n");
}
