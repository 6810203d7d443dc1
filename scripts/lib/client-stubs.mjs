import { cpSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { asOne, execute } from "./client-checks.mjs";
import { projectPath } from "./run.mjs";

const CLIENT = join("clients", "go");

/**
 * A check that the stubs in `clients/go/gen` are what its `generate` makes of
 * the protos. It runs in a copy, so that the stubs here stay as they are.
 */
export function goStubs(temporary) {
  return () => {
    const copy = copyClient(temporary);
    const generated = execute("..", join(copy, CLIENT, "generate"));
    if (generated.status !== 0) {
      return asOne(generated);
    }
    const folders = [projectPath(CLIENT, "gen"), join(copy, CLIENT, "gen")];
    const { status, output } = execute(".", "diff", "-r", "--brief", ...folders);
    return asOne({ status, output: `${output}Run clients/go/generate` });
  };
}

/** The client, the protos and the tools that `generate` uses, in a folder like the project's. */
function copyClient(temporary) {
  const copy = join(temporary, "stubs");
  for (const name of ["proto", "buf.yaml", CLIENT]) {
    cpSync(projectPath(name), join(copy, name), { recursive: true });
  }
  mkdirSync(projectPath(".cache"), { recursive: true });
  mkdirSync(join(copy, "node_modules", ".bin"), { recursive: true });
  for (const name of [".cache", "node_modules/google-proto-files", "node_modules/.bin/buf"]) {
    symlinkSync(projectPath(name), join(copy, name));
  }
  return copy;
}
