import { readFileSync } from "node:fs";

/** One step of a schema, applied once and never edited afterwards. */
export interface Migration {
  readonly name: string;
  readonly sql: string;
}

/**
 * The `.sql` files of a folder as a set of migrations, in their order. A file is
 * read once its statements are asked for: a program that imports the set needs
 * no files as long as it applies none.
 */
export function migrationsIn(
  set: string,
  folder: URL,
  names: readonly string[],
): readonly Migration[] {
  return names.map((name) => ({
    name: `${set}/${name}`,
    get sql() {
      return readFileSync(new URL(`${name}.sql`, folder), "utf8");
    },
  }));
}
