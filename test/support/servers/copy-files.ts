import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { promisify } from "node:util";

/**
 * Copies what is in a folder into another one, which is made if it is missing;
 * each file keeps its owner. Started by root, Postgres runs as the owner of its
 * files.
 */
export async function copyFiles(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  await promisify(execFile)("cp", ["--archive", `${from}/.`, to]);
}
