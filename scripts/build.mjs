// npm run build: compiles `src` into `dist`, or into the folder of --outDir, with the files beside
// the code that it reads; before it the client, where its `dist` is missing or older.
import { cpSync } from "node:fs";
import { extname, resolve } from "node:path";
import { parseArgs } from "node:util";
import { ensureClientBuild } from "./lib/prepare.mjs";
import { mustRun, projectPath } from "./lib/run.mjs";

const { values } = parseArgs({ options: { outDir: { type: "string" } } });
const outDir = resolve(values.outDir ?? projectPath("dist"));
ensureClientBuild();
mustRun("tsc", "-p", "tsconfig.build.json", "--outDir", outDir);
cpSync(projectPath("src"), outDir, {
  recursive: true,
  filter: (path) => [".sql", ""].includes(extname(path)), // a folder has no extension
});
