// node scripts/pack.mjs FOLDER: builds the packages as `npm publish` would send them, from these
// sources, and prints the path of each on a line: the service's, then the client's. `dist` here
// stays as it is.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { CLIENT } from "./lib/prepare.mjs";
import { projectPath } from "./lib/run.mjs";

const folder = resolve(process.argv[2] ?? ".");

const service = stage(".", ["package.json", "README.md", "LICENSE", "proto"]);
mkdirSync(join(service, "clients"));
copy("clients/service-config.json", join(service, "clients/service-config.json"));
printed(projectPath(), process.execPath, "scripts/build.mjs", "--outDir", join(service, "dist"));

const client = stage(CLIENT, ["package.json", "README.md", "dist"]);
copy("LICENSE", join(client, "LICENSE"));

for (const staging of [service, client]) {
  const [packed] = JSON.parse(
    printed(staging, "npm", "pack", "--json", "--pack-destination", folder),
  );
  console.log(join(folder, packed.filename));
}

/** A folder, removed at the end, with these files and folders of a package. */
function stage(from, names) {
  const staging = mkdtempSync(join(folder, "staging-"));
  process.on("exit", () => rmSync(staging, { recursive: true }));
  for (const name of names) {
    copy(join(from, name), join(staging, name));
  }
  return staging;
}

function copy(from, to) {
  cpSync(projectPath(from), to, { recursive: true });
}

/** What a command prints; ends this process where it fails. */
function printed(cwd, command, ...args) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: "utf8" });
  if (status === 0) {
    return stdout;
  }
  console.error(`${command} failed: ${error?.message ?? ""}${stdout ?? ""}${stderr ?? ""}`);
  process.exit(1);
}
