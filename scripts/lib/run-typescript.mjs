import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { projectPath } from "./run.mjs";

/** What is installed stays an import; the project's own packages are read from their sources. */
const INSTALLED = /^(?!@payonce[/])[^./]/;

/** Runs a TypeScript file, with all it imports from the project, in this process. */
export async function runTypescript(input) {
  // Not before it is there: the caller may have had to install it.
  const { rolldown } = await import("rolldown");
  // Beside the packages that it imports.
  mkdirSync(projectPath(".cache"), { recursive: true });
  const output = mkdtempSync(projectPath(".cache", "run-"));
  process.on("exit", () => rmSync(output, { recursive: true, force: true }));
  const file = join(output, "main.js");
  const bundle = await rolldown({
    input,
    external: INSTALLED,
    platform: "node",
    plugins: [
      {
        name: "files find what lies beside their source",
        // Not in a text that names it, as that of the plugin in test/support/service/compile.ts.
        transform: (code, id) =>
          code.replaceAll(/(?<!")import\.meta\.url/g, JSON.stringify(pathToFileURL(id).href)),
      },
    ],
  });
  await bundle.write({ file, format: "esm", codeSplitting: false });
  await bundle.close();
  await import(pathToFileURL(file).href);
}
