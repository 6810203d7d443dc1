// node scripts/pack.mjs FOLDER: builds the package as `npm publish` would send it, from these
// sources, and prints its path. `dist` here stays as it is.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { projectPath } from "./lib/run.mjs";

const folder = resolve(process.argv[2] ?? ".");
const staging = mkdtempSync(join(folder, "staging-"));
process.on("exit", () => rmSync(staging, { recursive: true }));

const KEPT = ["package.json", "README.md", "LICENSE", "proto", "clients/service-config.json"];
for (const name of KEPT) {
  mkdirSync(dirname(join(staging, name)), { recursive: true });
  cpSync(projectPath(name), join(staging, name), { recursive: true });
}
printed(projectPath(), process.execPath, "scripts/build.mjs", "--outDir", join(staging, "dist"));
const [packed] = JSON.parse(
  printed(staging, "npm", "pack", "--json", "--pack-destination", folder),
);
console.log(join(folder, packed.filename));

/** What a command prints; ends this process where it fails. */
function printed(cwd, command, ...args) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: "utf8" });
  if (status === 0) {
    return stdout;
  }
  console.error(`${command} failed: ${error?.message ?? ""}${stdout ?? ""}${stderr ?? ""}`);
  process.exit(1);
}
