import { spawnSync } from "node:child_process";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const PROJECT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

export function projectPath(...names) {
  return join(PROJECT, ...names);
}

// As npm does for its scripts: the programs of the dependencies, and those that they look for.
process.env.PATH = `${projectPath("node_modules", ".bin")}${delimiter}${process.env.PATH}`;

/** Runs a command in the project's folder, with this process's input and output. Returns its exit code. */
export function run(command, ...args) {
  return runIn(PROJECT, command, ...args);
}

function runIn(cwd, command, ...args) {
  const { status, error } = spawnSync(command, args, { stdio: "inherit", cwd });
  return error === undefined ? (status ?? 1) : 127;
}

/** Runs a command that must succeed; ends this process otherwise. */
export function mustRun(command, ...args) {
  mustRunIn(PROJECT, command, ...args);
}

/** The same in another folder. */
export function mustRunIn(cwd, command, ...args) {
  const exitCode = runIn(cwd, command, ...args);
  if (exitCode === 0) {
    return;
  }
  console.error(`Failed (exit code ${exitCode}): ${command} ${args.join(" ")}`);
  process.exit(exitCode);
}
