import { createHash } from "node:crypto";
import { copyFile, mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { type Plugin, rolldown } from "rolldown";

const OUTPUT_FOLDER = fileURLToPath(new URL("../../../.cache/compiled", import.meta.url));

/** Packages stay imports: only the project's own files are bundled, of its own packages too. */
const PACKAGE_NAME = /^(?!@payonce[/])[^./]/;

/**
 * Turns a TypeScript file, with all it imports from the project, into one
 * JavaScript file that `node` can run as a process of its own. The file is named
 * after its content, so that test files that run at the same time can share it.
 *
 * @returns the absolute path of the JavaScript file
 */
export function compiledEntry(typescriptFile: string): Promise<string> {
  const compiling = compiled.get(typescriptFile) ?? compile(typescriptFile);
  compiled.set(typescriptFile, compiling);
  return compiling;
}

/** Puts the program of the service's own sandbox where a compiled service looks for it: beside itself. */
export async function compileOwnSandbox(): Promise<void> {
  const entry = new URL("../../../src/dev-servers/sandbox-entry.ts", import.meta.url);
  const unfinished = join(OUTPUT_FOLDER, `sandbox-entry.${process.pid}`);
  await copyFile(await compiledEntry(fileURLToPath(entry)), unfinished);
  await rename(unfinished, join(OUTPUT_FOLDER, "sandbox-entry.js"));
}

const compiled = new Map<string, Promise<string>>();

/** Files that read others beside them, and find them where they are also in a bundle. */
const READERS = /\/src\/(server\/commands\/command-line|\w+\/postgres\/migrations)\.ts$/;

const ownPlace: Plugin = {
  name: "own-place",
  transform(code, id) {
    if (!READERS.test(id)) {
      return null;
    }
    return code.replaceAll("import.meta.url", JSON.stringify(pathToFileURL(id).href));
  },
};

/** Puts a TypeScript file and all that it imports from the project into one text. */
export async function bundled(typescriptFile: string, plugins: readonly Plugin[] = []) {
  const bundle = await rolldown({
    input: typescriptFile,
    external: PACKAGE_NAME,
    platform: "node",
    plugins: [ownPlace, ...plugins],
  });
  const { output } = await bundle.generate({ format: "esm", codeSplitting: false });
  await bundle.close();
  return output[0];
}

async function compile(typescriptFile: string): Promise<string> {
  const { code, name } = await bundled(typescriptFile);
  const hash = createHash("sha256").update(code).digest("hex").slice(0, 16);
  const path = join(OUTPUT_FOLDER, `${name}-${hash}.js`);
  await mkdir(OUTPUT_FOLDER, { recursive: true });
  const unfinished = `${path}.${process.pid}`;
  await writeFile(unfinished, code);
  await rename(unfinished, path);
  return path;
}
