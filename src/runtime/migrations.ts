import { readdirSync, readFileSync } from "node:fs";
import { basename } from "node:path";

/** One step of a schema, applied once and never edited afterwards. */
export interface Migration {
  readonly name: string;
  readonly sql: string;
}

/** Reads the `.sql` files of a folder, in the order of their names, as a set of migrations. */
export function readMigrations(set: string, folder: URL): readonly Migration[] {
  const files = readdirSync(folder).filter((file) => file.endsWith(".sql"));
  return files.sort().map((file) => ({
    name: `${set}/${basename(file, ".sql")}`,
    sql: readFileSync(new URL(file, folder), "utf8"),
  }));
}
