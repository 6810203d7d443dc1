import { appendFile, chmod, cp, mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { findFreePort } from "../../../../src/server/embedded/free-port.js";
import { clusterIn, ENDING_STEPS } from "../../../../src/server/embedded/postgres-cluster.js";
import { findPostgresPrograms } from "../../../../src/server/embedded/postgres-package.js";
import { findPostgresUser } from "../../../../src/server/embedded/postgres-user.js";
import { startServerProcess } from "../../../../src/server/embedded/server-process.js";
import { guard } from "../../../support/servers/guard.js";
import { waitUntil } from "../../../support/service-process.js";
import { startTcpProxy, type TcpProxy } from "../../../support/tcp-proxy.js";
import { type OwnPostgres, portOf, withPort } from "./own-postgres.js";

const START_LIMIT_MS = 60_000;

/** Until a standby has got what it waits for, on a busy machine. */
const REPLICATION_LIMIT_MS = 30_000;

/** A second Postgres that repeats what the first one does. */
export interface Standby {
  readonly url: string;
  /** The network between the two. */
  readonly link: TcpProxy;
  /** Resolves once the standby has all that is committed on the primary now. */
  caughtUp(): Promise<void>;
  /** From now on no commit counts before the standby has it on disk. */
  makeSynchronous(): Promise<void>;
  /** Makes the standby the primary. */
  promote(): Promise<void>;
  close(): Promise<void>;
}

/** Copies the primary, which is shut down for it, and lets the copy follow. */
export async function startStandby(primary: OwnPostgres): Promise<Standby> {
  const directory = await mkdtemp(join(tmpdir(), "payonce-test-standby-"));
  await chmod(directory, 0o755); // started by root, Postgres runs as another user
  const { data } = clusterIn(directory);
  const settings = await commandLineSettings(primary.directUrl());
  await primary.stopInOrder();
  await mkdir(data, { mode: 0o700 });
  await cp(clusterIn(join(primary.dataDir, "postgres")).data, data, { recursive: true });
  await primary.start();

  const link = await startTcpProxy(portOf(primary.directUrl()));
  const { username, password } = new URL(primary.directUrl());
  await appendFile(
    join(data, "postgresql.auto.conf"),
    `primary_conninfo = 'host=127.0.0.1 port=${link.port} user=${username} password=${password}'\n`,
  );
  await writeFile(join(data, "standby.signal"), "");
  const programs = await findPostgresPrograms();
  const user = await findPostgresUser({ program: programs.postgres, directory });
  await user.own(directory);
  const port = await findFreePort();
  const server = await startServerProcess({
    name: "the standby",
    command: user.command(programs.postgres, [
      ...["-D", data],
      ...[...settings, `port=${port}`].flatMap((setting) => ["-c", setting]),
    ]),
    readyText: "ready to accept read-only connections",
    startLimitMs: START_LIMIT_MS,
    endingSteps: ENDING_STEPS,
    log: () => {},
  });
  const guarded = guard({ pid: server.pid, signal: "QUIT", directory });
  const url = withPort(primary.directUrl(), port);

  const untilPrimarySays = (condition: string) =>
    onServer(primary.directUrl(), (client) =>
      waitUntil(async () => {
        const { rowCount } = await client.query(
          `SELECT FROM pg_stat_replication WHERE ${condition}`,
        );
        return rowCount === 1;
      }, REPLICATION_LIMIT_MS),
    );
  return {
    url,
    link,
    caughtUp: () => untilPrimarySays("replay_lsn >= pg_current_wal_flush_lsn()"),
    async makeSynchronous() {
      await onServer(primary.directUrl(), async (client) => {
        await client.query("ALTER SYSTEM SET synchronous_standby_names = '*'");
        await client.query("SELECT pg_reload_conf()");
      });
      await untilPrimarySays("sync_state = 'sync'");
    },
    promote: () =>
      onServer(url, async (client) => {
        await client.query("SELECT pg_promote()");
      }),
    async close() {
      await server.stop();
      await guarded.close();
      await link.close();
    },
  };
}

/**
 * What the primary was told at its start, which its files do not hold. A standby
 * with less of some of it, such as max_connections, refuses to follow.
 */
async function commandLineSettings(url: string): Promise<readonly string[]> {
  return onServer(url, async (client) => {
    const { rows } = await client.query<{ setting: string }>(
      "SELECT name || '=' || setting AS setting FROM pg_settings WHERE source = 'command line'",
    );
    return rows.map(({ setting }) => setting);
  });
}

async function onServer<Result>(
  url: string,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
