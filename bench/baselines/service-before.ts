import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Unavailable } from "../sides/side.js";

const PROJECT = fileURLToPath(new URL("../../", import.meta.url));

/**
 * The service as it was with one redlock call a request and one transaction a
 * step: its last commit before claims and commits were shared.
 */
const COMMIT = "d386ac5";

const run = promisify(execFile);

/**
 * The command line of the service before, as a TypeScript file.
 * @throws Unavailable where the repository has no such commit.
 */
export async function serviceBefore(): Promise<string> {
  const cache = join(PROJECT, ".cache", "bench");
  const folder = join(cache, COMMIT);
  if (!existsSync(folder)) {
    await mkdir(cache, { recursive: true });
    const unfinished = await mkdtemp(join(cache, "unfinished-"));
    const archive = join(unfinished, "src.tar");
    try {
      await run("git", ["archive", "--output", archive, COMMIT, "src"], { cwd: PROJECT });
    } catch {
      await rm(unfinished, { recursive: true });
      throw new Unavailable(`this clone has no commit ${COMMIT}: git fetch --unshallow`);
    }
    await run("tar", ["-xf", archive, "-C", unfinished]);
    await rename(unfinished, folder);
  }
  return join(folder, "src", "cli.ts");
}
