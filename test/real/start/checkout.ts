import { execFileSync } from "node:child_process";
import { existsSync, lstatSync } from "node:fs";
import { chmod, cp, mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

const PROJECT = fileURLToPath(new URL("../../..", import.meta.url));

export interface Checkout {
  readonly path: string;
  remove(): Promise<void>;
}

/** What a fresh clone would hold: no dependencies, no build, no data. Work not committed yet is part of it. */
export async function createCheckout(): Promise<Checkout> {
  const path = await mkdtemp(join(tmpdir(), "payonce-test-start-"));
  await chmod(path, 0o755); // started by root, Postgres runs as another user
  const listed = execFileSync("git", ["ls-files", "-z", "-co", "--exclude-standard"], {
    cwd: PROJECT,
    encoding: "utf8",
  });
  for (const file of listed.split("\0").filter(isFile)) {
    await cp(join(PROJECT, file), join(path, file));
  }
  return { path, remove: () => rm(path, { recursive: true, maxRetries: 10 }) };
}

/** Git still lists a file that was removed and not committed. A link might lead back into the project. */
function isFile(file: string): boolean {
  return lstatSync(join(PROJECT, file), { throwIfNoEntry: false })?.isFile() ?? false;
}

/** All that a start runs by name: npm's own, and what Postgres needs where root starts it. */
const PROGRAMS = ["node", "npm", "sh", "id", "unshare", "test"];

/** A folder for a PATH that leads to no Redis server. */
export async function createPathWithoutRedis(parent: string): Promise<string> {
  const folder = join(parent, "path-without-redis");
  await mkdir(folder);
  for (const program of PROGRAMS) {
    const found = (process.env.PATH ?? "")
      .split(delimiter)
      .map((searched) => join(searched, program))
      .find((file) => existsSync(file));
    if (found !== undefined) {
      await symlink(found, join(folder, program));
    }
  }
  return folder;
}
