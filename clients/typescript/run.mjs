// node run.mjs FILE: runs a TypeScript file of this folder, with all it imports from the project.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { projectPath } from "../../scripts/lib/run.mjs";
import { runTypescript } from "../../scripts/lib/run-typescript.mjs";

const [, , name] = process.argv;

if (!existsSync(projectPath("node_modules", "rolldown"))) {
  // The standard output belongs to the driver.
  const options = { cwd: projectPath(), stdio: ["ignore", process.stderr, process.stderr] };
  spawnSync("npm", ["ci", "--no-audit", "--no-fund"], options);
}
await runTypescript(fileURLToPath(new URL(name, import.meta.url)));
