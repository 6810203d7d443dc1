import { appendFile, chmod, mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findFreePort } from "../../../../src/dev-servers/free-port.js";
import { clusterIn, ENDING_STEPS } from "../../../../src/dev-servers/postgres-cluster.js";
import { findPostgresPrograms } from "../../../../src/dev-servers/postgres-package.js";
import { findPostgresUser } from "../../../../src/dev-servers/postgres-user.js";
import { startServerProcess } from "../../../../src/dev-servers/server-process.js";
import { type OwnPostgres, withPort } from "../../../support/faults/own-postgres.js";
import { copyFiles } from "../../../support/servers/copy-files.js";
import { guard } from "../../../support/servers/guard.js";
import { onDatabase } from "../../../support/servers/on-database.js";

const START_LIMIT_MS = 60_000;

const READY = "database system is ready to accept connections";

/** The data of a server, as they are while it is shut down. */
export interface DataDirectory {
  readonly data: string;
  /** Of the server: with its user, its password and its database. */
  readonly url: string;
  /** What the server was told at its start, which its files do not hold. */
  readonly settings: readonly string[];
}

export interface ServerOnCopy {
  readonly url: string;
  close(): Promise<void>;
}

export interface StartOnCopyOptions {
  /** More lines for the configuration. */
  readonly configuration?: readonly string[];
  /** An empty file that tells Postgres what it is to be. */
  readonly signal?: "standby.signal" | "recovery.signal";
  /** In the place of what the server was told at its start, which no reload changes. */
  readonly settings?: readonly string[];
  /** Part of the line that the server prints once a test may connect. */
  readonly readyText?: string;
}

/** Copies the data of a server, which is shut down for it and then started again. */
export async function copyData(server: OwnPostgres): Promise<DataDirectory> {
  const url = server.directUrl();
  const settings = await commandLineSettings(url);
  const { path, data } = await makeDirectory();
  await server.stopInOrder();
  await copyFiles(clusterIn(join(server.dataDir, "postgres")).data, data);
  await server.start();
  guard({ directory: path }); // removed when this process ends
  return { data, url, settings };
}

/** Starts a server on a copy of the data; the data themselves stay as they are. */
export async function startOnCopy(
  from: DataDirectory,
  options: StartOnCopyOptions = {},
): Promise<ServerOnCopy> {
  const { configuration = [], signal, settings = from.settings, readyText = READY } = options;
  const { path, data } = await makeDirectory();
  await copyFiles(from.data, data);
  await appendFile(join(data, "postgresql.auto.conf"), `${configuration.join("\n")}\n`);
  const programs = await findPostgresPrograms();
  const user = await findPostgresUser({ program: programs.postgres, directory: path, data });
  if (signal !== undefined) {
    await writeFile(join(data, signal), "");
    await user.own(join(data, signal));
  }
  const port = await findFreePort();
  const told = [...settings, `port=${port}`];
  const server = await startServerProcess({
    name: "a Postgres on a copy",
    command: user.command(programs.postgres, [
      ...["-D", data],
      ...told.flatMap((setting) => ["-c", setting]),
    ]),
    readyText,
    startLimitMs: START_LIMIT_MS,
    endingSteps: ENDING_STEPS,
    log: () => {},
  });
  const guarded = guard({ pid: server.pid, signal: "QUIT", directory: path });
  return {
    url: withPort(from.url, port),
    async close() {
      await server.stop();
      await guarded.close();
    },
  };
}

/** Started by root, Postgres runs as another user, who has to get there. */
async function makeDirectory(): Promise<{ readonly path: string; readonly data: string }> {
  const path = await mkdtemp(join(tmpdir(), "payonce-test-data-"));
  await chmod(path, 0o755);
  const { data } = clusterIn(path);
  await mkdir(data, { mode: 0o700 });
  return { path, data };
}

/** A server with less of some of it, such as max_connections, refuses to follow another. */
async function commandLineSettings(url: string): Promise<readonly string[]> {
  return onDatabase(url, async (client) => {
    const { rows } = await client.query<{ setting: string }>(
      "SELECT name || '=' || setting AS setting FROM pg_settings WHERE source = 'command line'",
    );
    return rows.map(({ setting }) => setting);
  });
}
