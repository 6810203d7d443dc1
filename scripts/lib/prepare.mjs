import { readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { mustRun, projectPath } from "./run.mjs";

/** Installs the dependencies where they are missing or older than the lock file. */
export function ensureDependencies() {
  const installedAt = changedAt(projectPath("node_modules", ".package-lock.json"));
  if (installedAt >= changedAt(projectPath("package-lock.json"))) {
    return;
  }
  mustRun("npm", "ci", "--no-audit", "--no-fund");
}

/** Compiles the client, and `src` into `dist`, where that is missing or older. */
export function ensureBuild() {
  ensureClientBuild();
  if (isBuilt(".", "cli.js")) {
    return;
  }
  rmSync(projectPath("dist"), { recursive: true, force: true });
  mustRun("node", "scripts/build.mjs");
}

/** Where the package `@payonce/client` is. */
export const CLIENT = "clients/typescript";

/** Compiles the client into its `dist`, from which the server takes it, where that is missing or older. */
export function ensureClientBuild() {
  if (isBuilt(CLIENT, "internal.js")) {
    return;
  }
  // Others may read it, or build it at the same time: it changes as a whole.
  const dist = projectPath(CLIENT, "dist");
  const unfinished = `${dist}-${process.pid}`;
  process.on("exit", () => rmSync(unfinished, { recursive: true, force: true }));
  mustRun("tsc", "-p", `${CLIENT}/tsconfig.build.json`, "--outDir", unfinished);
  rmSync(dist, { recursive: true, force: true });
  renameSync(unfinished, dist);
}

/** Whether a file that a package's build writes is newer than all that it is made from. */
function isBuilt(folder, output) {
  const sources = ["", ...readdirSync(projectPath(folder, "src"), { recursive: true })];
  const inputs = ["package-lock.json", "tsconfig.json", "tsconfig.build.json"];
  const newest = Math.max(
    ...inputs.map((name) => changedAt(projectPath(name))),
    changedAt(projectPath(folder, "tsconfig.build.json")),
    // A folder counts too: its time is that of the last file removed from it.
    ...sources.map((name) => changedAt(projectPath(folder, "src", name))),
  );
  return changedAt(projectPath(folder, "dist", output)) >= newest;
}

/** Milliseconds since 1970, or -Infinity for a file that is not there. */
function changedAt(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Number.NEGATIVE_INFINITY;
}
