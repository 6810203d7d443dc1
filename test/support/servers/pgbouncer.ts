import { chmod, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { findProgram } from "../../../src/dev-servers/find-program.js";
import { findFreePort } from "../../../src/dev-servers/free-port.js";
import { startServerProcess } from "../../../src/dev-servers/server-process.js";
import { guard } from "./guard.js";

/** Debian keeps it where only root's PATH leads. */
const FOLDERS = `${process.env.PATH}:/usr/sbin:/usr/local/sbin`;

/** The pgbouncer of this machine, if it has one. */
export const pgbouncer = findProgram(FOLDERS, ["pgbouncer"]);

export interface PgbouncerUnderTest {
  /** The database's URL through the pooler. */
  readonly url: string;
  stop(): Promise<void>;
}

/**
 * Starts a pgbouncer before the database of a URL that has a password. With its
 * own defaults, but for what is given.
 */
export async function startPgbouncer(
  url: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<PgbouncerUnderTest> {
  const directory = await mkdtemp(join(tmpdir(), "payonce-test-pgbouncer-"));
  await chmod(directory, 0o755); // started by root, it runs as another user
  const { hostname, port, username, password } = new URL(url);
  const own = new URL(url);
  own.port = String(await findFreePort());
  own.search = ""; // nothing is asked for but what every pooler takes
  await writeFile(join(directory, "users"), `"${username}" "${password}"\n`);
  const lines = Object.entries({
    listen_addr: "127.0.0.1",
    listen_port: own.port,
    unix_socket_dir: "",
    auth_type: "md5",
    auth_file: join(directory, "users"),
    ...settings,
  }).map(([name, value]) => `${name} = ${value}`);
  const file = join(directory, "pgbouncer.ini");
  await writeFile(
    file,
    `[databases]\n* = host=${hostname} port=${port}\n[pgbouncer]\n${lines.join("\n")}\n`,
  );
  const process = await startServerProcess({
    name: "pgbouncer",
    command: {
      file: pgbouncer ?? "pgbouncer",
      args: [...(userInfo().uid === 0 ? ["-u", "postgres"] : []), file],
    },
    readyText: "process up",
    startLimitMs: 10_000,
    endingSteps: [{ signal: "SIGKILL", waitMs: 5_000 }],
    log: () => {},
  });
  const guarded = guard({ pid: process.pid, directory });
  return {
    url: own.href,
    async stop() {
      await process.stop();
      await guarded.close();
    },
  };
}
