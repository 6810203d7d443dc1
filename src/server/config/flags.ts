import { Option } from "commander";
import * as v from "valibot";
import type { SettingSchema } from "./schemas.js";

/** One flag of the command line: its schema, and what people read about it. */
export interface Flag<Value = unknown> {
  readonly meaning: string;
  /** Continues "accepts ..."; absent where the flag takes no text, or any. */
  readonly accepts?: string | undefined;
  /** The default, in words. */
  readonly otherwise?: string;
  /** The words that it accepts, where it accepts nothing else. */
  readonly choices?: readonly string[] | undefined;
  readonly schema: v.GenericSchema<string | boolean | undefined, Value>;
}

/** Flags by the names of their values: `grpcListen` for --grpc-listen. */
export type Flags = Readonly<Record<string, Flag>>;

/** The values of flags, by the same names. */
export type Values<Table extends Flags> = {
  readonly [Name in keyof Table]: Table[Name] extends Flag<infer Value> ? Value : never;
};

export type NameIn<Table extends Flags> = keyof Table & string;

interface Description<Value> {
  readonly meaning: string;
  readonly schema: SettingSchema<Value>;
}

/** A flag whose default is written as a user would write it. */
export function withDefault<Value>(text: string, { meaning, schema }: Description<Value>) {
  return described(meaning, schema, { otherwise: text, schema: v.undefinedable(schema, text) });
}

/** A flag that may be absent, with what holds then in words. */
export function optional<Value>(otherwise: string, { meaning, schema }: Description<Value>) {
  return described(meaning, schema, { otherwise, schema: v.undefinedable(schema) });
}

function described<Value>(
  meaning: string,
  of: SettingSchema,
  flag: Pick<Flag<Value>, "otherwise" | "schema">,
): Flag<Value> {
  const { choices } = v.getMetadata(of);
  return {
    meaning,
    accepts: v.getDescription(of),
    choices: Array.isArray(choices) ? choices.map(String) : undefined,
    ...flag,
  };
}

/** A flag without a value. */
export function toggle(meaning: string): Flag<boolean> {
  return { meaning, schema: v.undefinedable(v.boolean(), false) };
}

/** Reads given flags. What is refused has no value, and its name among `refused`. */
export function readFlags<Table extends Flags>(
  table: Table,
  given: (name: string) => unknown,
): { readonly values: Values<Table>; readonly refused: readonly NameIn<Table>[] } {
  const values: Record<string, unknown> = {};
  const refused = new Set<string>();
  for (const [name, { schema }] of Object.entries(table)) {
    const { success, output } = v.safeParse(schema, given(name));
    if (success) {
      values[name] = output;
    } else {
      refused.add(name);
    }
  }
  return {
    // Each value comes from the table's schema of that name, whence it has its type.
    values: values as Values<Table>,
    refused: namesIn(table).filter((name) => refused.has(name)),
  };
}

/** The names of a table's flags, in its order. */
export function namesIn<Table extends Flags>(table: Table): readonly NameIn<Table>[] {
  return Object.keys(table).filter((name): name is NameIn<Table> => name in table);
}

/** The flag of a name, with its dashes: --grpc-listen for `grpcListen`. */
export function flagOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, "-$&").toLowerCase()}`;
}

/** A flag as the library of the command line takes it, with its help. */
export function optionOf(name: string, { meaning, accepts, otherwise, choices }: Flag): Option {
  const lines = [
    meaning,
    ...(accepts === undefined ? [] : [`accepts ${accepts}`]),
    ...(otherwise === undefined ? [] : [`default: ${otherwise}`]),
  ];
  const takesText = otherwise !== undefined;
  const option = new Option(`${flagOf(name)}${takesText ? " <value>" : ""}`, lines.join("\n"));
  // For completion alone: the library's own check would repeat what was given.
  if (choices !== undefined) {
    option.argChoices = [...choices];
  }
  return option;
}
