import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { clusterIn } from "../../../../src/dev-servers/postgres-cluster.js";
import { findPostgresUser, run as runToEnd } from "../../../../src/dev-servers/postgres-user.js";
import type { OwnPostgres } from "../../../support/faults/own-postgres.js";

/** Room for a new cluster (40 MB), our database and two more segments of Postgres's log (16 MB each). */
const DISK_BYTES = 96 * 1024 * 1024;

const PRLIMIT = "/usr/bin/prlimit";

/** A place for a Postgres where the test decides whether anything more can be written. */
export interface Disk {
  /** What is done to it, for whoever reads the output. */
  readonly how: string;
  /** Where the Postgres must have its files, if that matters. */
  readonly dataDir?: string;
  /** From now on the Postgres on it can write no more than it has room for already. */
  fill(postgres: OwnPostgres): Promise<void>;
  makeRoom(): Promise<void>;
  close(): Promise<void>;
}

/**
 * A small file system, where the test may mount one. In a container that forbids
 * it, a limit to the files of the Postgres: writes fail alike, with another errno
 * (EFBIG, not ENOSPC). Undefined where neither can be had.
 */
export async function makeDisk(): Promise<Disk | undefined> {
  return (await mountDisk()) ?? (await limitedFiles());
}

/** Mounts, and unmounts however this process ends: its end closes the shell's input. */
const MOUNT_SCRIPT = `
  mount -t tmpfs -o size="$2",mode=755 none "$1" || exit 1
  echo mounted
  read _
  umount -l "$1"
  rmdir "$1"
`;

async function mountDisk(): Promise<Disk | undefined> {
  const directory = await mkdtemp(join(tmpdir(), "payonce-test-disk-"));
  const shell = spawn("sh", ["-c", MOUNT_SCRIPT, "disk", directory, String(DISK_BYTES)], {
    stdio: ["pipe", "pipe", "ignore"],
    detached: true, // Ctrl-C reaches this process's group, and the shell has to survive it
  });
  const ended = once(shell, "exit");
  const isMounted = await Promise.race([
    once(shell.stdout, "data").then(() => true),
    ended.then(() => false),
  ]);
  if (!isMounted) {
    await rm(directory, { recursive: true });
    return undefined;
  }
  const filler = join(directory, "filler");
  return {
    how: "the file system is full",
    dataDir: directory,
    async fill() {
      // More than there is room for: all that fits is written before it fails.
      const error: unknown = await writeFile(filler, Buffer.alloc(DISK_BYTES)).catch((e) => e);
      if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) {
        throw new Error("the file system is larger than it was made", { cause: error });
      }
    },
    makeRoom: () => rm(filler),
    async close() {
      shell.stdin.end();
      await ended;
    },
  };
}

async function limitedFiles(): Promise<Disk | undefined> {
  try {
    await runToEnd({ file: PRLIMIT, args: ["--version"] });
  } catch {
    return undefined;
  }
  return {
    how: "no file may be written (RLIMIT_FSIZE)",
    async fill(postgres) {
      const { data } = clusterIn(join(postgres.dataDir, "postgres"));
      const user = await findPostgresUser({ program: PRLIMIT, directory: postgres.dataDir, data });
      const limit = (pid: number) =>
        runToEnd(user.command(PRLIMIT, ["--pid", String(pid), "--fsize=0:"]));
      await limit(postgres.pid()); // and all that it starts from now on
      for (const pid of await processesOf(postgres)) {
        await limit(pid).catch(() => {}); // ended meanwhile
      }
    },
    // The log cannot be written any more, so the Postgres has crashed, and the limit is gone with it.
    makeRoom: async () => {},
    close: async () => {},
  };
}

async function processesOf(postgres: OwnPostgres): Promise<readonly number[]> {
  const client = new pg.Client({ connectionString: postgres.directUrl() });
  client.on("error", () => {}); // the server may have no room to go on
  try {
    await client.connect();
    const { rows } = await client.query<{ pid: number }>("SELECT pid FROM pg_stat_activity");
    await client.end();
    return rows.map(({ pid }) => pid);
  } catch {
    return []; // it has crashed already
  }
}
