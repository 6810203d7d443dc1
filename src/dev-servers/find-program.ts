import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** The first of these programs that a PATH leads to, undefined if it leads to none. */
export function findProgram(pathVariable: string, programs: readonly string[]): string | undefined {
  const folders = pathVariable.split(delimiter).filter((folder) => folder !== "");
  return programs
    .flatMap((program) => folders.map((folder) => join(folder, program)))
    .find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
