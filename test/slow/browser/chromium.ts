import { findProgram } from "../../../src/dev-servers/find-program.js";

const PROGRAMS = ["chromium", "chromium-browser", "google-chrome"];

/**
 * The Chromium of this machine, undefined if there is none.
 * @throws on a machine of CI, where the tests must run.
 */
export function findChromium(): string | undefined {
  const found = findProgram(process.env.PATH ?? "", PROGRAMS);
  if (found === undefined) {
    const missing = "the tests in a browser need chromium on the PATH, such as Debian's package";
    if (process.env.CI === "true") {
      throw new Error(missing);
    }
    console.warn(`Skipped: ${missing}`);
  }
  return found;
}
