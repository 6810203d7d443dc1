import { readdirSync, rmSync, statSync } from "node:fs";
import { mustRun, projectPath } from "./run.mjs";

/** Installs the dependencies where they are missing or older than the lock file. */
export function ensureDependencies() {
  const installedAt = changedAt(projectPath("node_modules", ".package-lock.json"));
  if (installedAt >= changedAt(projectPath("package-lock.json"))) {
    return;
  }
  mustRun("npm", "ci", "--no-audit", "--no-fund");
}

/** Compiles `src` into `dist` where that is missing or older. */
export function ensureBuild() {
  const sources = ["", ...readdirSync(projectPath("src"), { recursive: true })];
  const inputs = ["package-lock.json", "tsconfig.json", "tsconfig.build.json"];
  const newest = Math.max(
    ...inputs.map((name) => changedAt(projectPath(name))),
    // A folder counts too: its time is that of the last file removed from it.
    ...sources.map((name) => changedAt(projectPath("src", name))),
  );
  if (changedAt(projectPath("dist", "cli.js")) >= newest) {
    return;
  }
  rmSync(projectPath("dist"), { recursive: true, force: true });
  mustRun("node", "scripts/build.mjs");
}

/** Milliseconds since 1970, or -Infinity for a file that is not there. */
function changedAt(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Number.NEGATIVE_INFINITY;
}
