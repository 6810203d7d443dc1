import { cpSync, mkdirSync, symlinkSync } from "node:fs";
import { basename, join } from "node:path";
import { asOne, execute } from "./client-checks.mjs";
import { projectPath } from "./run.mjs";

/** What is made anew by builds and tests, or kept by tools for themselves. */
const MADE = new Set(["target", "__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache"]);

const DIFF = ["diff", "-r", "--brief", "-x", "__pycache__"];

/**
 * A check that the stubs in a folder are what the client's `generate` makes of
 * the protos. It runs in a copy, so that the stubs here stay as they are.
 */
export function stubs(language, folder, temporary) {
  return () => {
    const copy = copyClient(language, temporary);
    const generated = execute("..", join(copy, "clients", language, "generate"));
    if (generated.status !== 0) return asOne(generated);
    const here = projectPath("clients", language, folder);
    const made = join(copy, "clients", language, folder);
    const { status, output } = execute(".", ...DIFF, here, made);
    return asOne({ status, output: `${output}Run clients/${language}/generate` });
  };
}

/** The client, the protos and the tools that `generate` uses, in a folder like the project's. */
function copyClient(language, temporary) {
  const copy = join(temporary, `stubs-${language}`);
  const filter = (path) => !MADE.has(basename(path));
  for (const name of ["proto", "buf.yaml", join("clients", language)]) {
    cpSync(projectPath(name), join(copy, name), { recursive: true, filter });
  }
  mkdirSync(projectPath(".cache"), { recursive: true });
  mkdirSync(join(copy, "node_modules", ".bin"), { recursive: true });
  for (const name of [".cache", "node_modules/google-proto-files", "node_modules/.bin/buf"]) {
    symlinkSync(projectPath(name), join(copy, name));
  }
  return copy;
}
