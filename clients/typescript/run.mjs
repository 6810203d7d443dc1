// node run.mjs FILE: runs a TypeScript file of this folder, with all it imports from the project.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const [, , name] = process.argv;
const project = fileURLToPath(new URL("../../", import.meta.url));

if (!existsSync(join(project, "node_modules", "rolldown"))) {
  // The standard output belongs to the driver.
  const options = { cwd: project, stdio: ["ignore", process.stderr, process.stderr] };
  spawnSync("npm", ["ci", "--no-audit", "--no-fund"], options);
}
// Not before it is there.
const { rolldown } = await import("rolldown");

// Beside the packages that it imports.
mkdirSync(join(project, ".cache"), { recursive: true });
const output = mkdtempSync(join(project, ".cache", "driver-"));
const file = join(output, "main.js");
try {
  const bundle = await rolldown({
    input: fileURLToPath(new URL(name, import.meta.url)),
    external: /^[^./]/,
    platform: "node",
  });
  await bundle.write({ file, format: "esm", codeSplitting: false });
  await bundle.close();
  await import(pathToFileURL(file).href);
} finally {
  rmSync(output, { recursive: true, force: true });
}
