import type { ParseArgsConfig } from "node:util";
import { parseAddress } from "../config/address.js";

/** One command of the command line. */
export interface Command {
  /** One line for the list of commands. */
  readonly summary: string;
  /** What `--help` prints below it. */
  readonly help: () => string;
  readonly options: NonNullable<ParseArgsConfig["options"]>;
  /** Resolves with the exit code; rejects with an error whose message is for the user. */
  readonly run: (flags: Flags) => Promise<number>;
}

export type Flags = Readonly<Record<string, unknown>>;

/** A flag or its value that cannot be meant. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** A flag's text, or what holds without it. */
export function textFlag(flags: Flags, name: string, otherwise: string): string {
  const value = flags[name];
  return typeof value === "string" ? value : otherwise;
}

/** @throws UsageError unless the flag is a whole number within the bounds. */
export function numberFlag(
  flags: Flags,
  name: string,
  {
    otherwise,
    min,
    max,
  }: { readonly otherwise: number; readonly min: number; readonly max: number },
): number {
  const text = flags[name];
  const value = text === undefined ? otherwise : Number(text);
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new UsageError(`--${name} accepts a whole number from ${min} to ${max}`);
  }
  return value;
}

/** @throws UsageError unless the text is host:port. */
export function addressFlag(flags: Flags, name: string, otherwise: string): string {
  const text = textFlag(flags, name, otherwise);
  if (parseAddress(text) === undefined) {
    throw new UsageError(`--${name} accepts host:port, such as ${otherwise}`);
  }
  return text;
}
