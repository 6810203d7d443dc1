import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

const PROGRAMS = ["chromium", "chromium-browser", "google-chrome"];

/**
 * The Chromium of this machine, undefined if there is none.
 * @throws on a machine of CI, where the tests must run.
 */
export function findChromium(): string | undefined {
  const folders = (process.env.PATH ?? "").split(delimiter);
  const found = folders
    .flatMap((folder) => PROGRAMS.map((program) => join(folder, program)))
    .find(isExecutable);
  if (found === undefined) {
    const missing = "the tests in a browser need chromium on the PATH, such as Debian's package";
    if (process.env.CI === "true") {
      throw new Error(missing);
    }
    console.warn(`Skipped: ${missing}`);
  }
  return found;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
