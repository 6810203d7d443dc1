import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, open, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { PostgresPrograms } from "./postgres-package.js";
import { type PostgresUser, run } from "./postgres-user.js";
import { type EndingStep, endProcess, processArguments } from "./processes.js";

/** The superuser of the embedded Postgres. */
export const ROLE = "postgres";

const UNFINISHED_PREFIX = "unfinished-";

/**
 * SIGINT is Postgres's fast shutdown: open transactions are rolled back, then a
 * checkpoint is written. SIGQUIT leaves that to the recovery of the next start.
 */
export const ENDING_STEPS: readonly EndingStep[] = [
  { signal: "SIGINT", waitMs: 30_000 },
  { signal: "SIGQUIT", waitMs: 10_000 },
];

export interface Cluster {
  readonly directory: string;
  readonly data: string;
  readonly passwordFile: string;
}

export function clusterIn(directory: string): Cluster {
  return { directory, data: join(directory, "data"), passwordFile: join(directory, "password") };
}

export interface ClusterOptions {
  readonly programs: PostgresPrograms;
  readonly cluster: Cluster;
  readonly user: PostgresUser;
}

/**
 * Makes the cluster where there is none yet: in a folder of its own, renamed
 * once it is whole. An interrupted attempt is thrown away; its `initdb` may have
 * outlived its parent and still be writing, so no attempt uses another's folder.
 */
export async function initialise({ programs, cluster, user }: ClusterOptions): Promise<void> {
  if (existsSync(cluster.data)) {
    return;
  }
  await removeUnfinished(cluster);
  const unfinished = await mkdtemp(join(cluster.directory, UNFINISHED_PREFIX));
  await user.own(unfinished);
  await rm(cluster.passwordFile, { force: true });
  await writeFile(cluster.passwordFile, randomBytes(24).toString("hex"), { mode: 0o600 });
  await user.own(cluster.passwordFile);
  await run(
    user.command(programs.initdb, [
      ...["--pgdata", unfinished, "--username", ROLE, "--pwfile", cluster.passwordFile],
      ...["--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C"],
    ]),
  );
  await rename(unfinished, cluster.data);
  await syncDirectory(cluster.directory);
}

async function removeUnfinished({ directory }: Cluster): Promise<void> {
  const names = (await readdir(directory)).filter((name) => name.startsWith(UNFINISHED_PREFIX));
  for (const name of names) {
    await rm(join(directory, name), { recursive: true, force: true, maxRetries: 10 });
  }
}

/** A rename survives a power cut once its directory is synced. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path);
  await directory.sync();
  await directory.close();
}

/**
 * Shuts down a server that outlived its parent.
 *
 * Postgres's own check of a pid file asks only whether some process has that
 * pid, and then refuses to start. So a file whose pid went to another process
 * is removed here. Should the server live after all, under another name of the
 * folder, Postgres still notices its shared memory and refuses.
 */
export async function endLeftoverServer(
  cluster: Cluster,
  log: (line: string) => void,
): Promise<void> {
  const pidFile = join(cluster.data, "postmaster.pid");
  if (!existsSync(pidFile)) {
    return;
  }
  const pid = Number.parseInt(await readFile(pidFile, "utf8"), 10);
  if (processArguments(pid).includes(cluster.data)) {
    log(`Ending the Postgres that an earlier run left over (process ${pid})`);
    await endProcess(pid, ENDING_STEPS);
  }
  await rm(pidFile, { force: true });
}
