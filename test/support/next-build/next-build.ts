import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import type { Plugin } from "rolldown";
import { bundled } from "../service/compile.js";
import { generateNextSchema } from "./next-build-schema.js";

const SOURCE = fileURLToPath(new URL("../../../src", import.meta.url));
/** Within the project, so that the program finds the packages. */
const CACHE = fileURLToPath(new URL("../../../.cache", import.meta.url));
const REPLACEMENTS = fileURLToPath(new URL("../entries/next-build", import.meta.url));

export interface NextBuild {
  /** The program, for `startServiceProcess`. */
  readonly entry: string;
  remove(): Promise<void>;
}

/**
 * Makes the build that comes after this one: its schema has a new field, which
 * it fills in payments and in stored outcomes, and its tables a new column.
 */
export async function makeNextBuild(): Promise<NextBuild> {
  await mkdir(CACHE, { recursive: true });
  const folder = await mkdtemp(join(CACHE, "next-build-"));
  await generateNextSchema(folder);
  const entry = join(folder, "next-build.js");
  const replacements = replacing([REPLACEMENTS, join(folder, "src")]);
  const { code } = await bundled(join(SOURCE, "cli.ts"), [replacements]);
  await writeFile(entry, code);
  return { entry, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** A file in one of the folders takes the place of the one at the same path in `src`, which only it sees. */
function replacing(folders: readonly string[]): Plugin {
  return {
    name: "next-build",
    resolveId(imported, importer) {
      if (importer === undefined || !imported.startsWith(".")) {
        return null;
      }
      const path = relative(SOURCE, join(dirname(importer), imported.replace(/\.js$/, ".ts")));
      const candidates = folders.map((folder) => join(folder, path));
      return candidates.find((file) => file !== importer && existsSync(file)) ?? null;
    },
  };
}
