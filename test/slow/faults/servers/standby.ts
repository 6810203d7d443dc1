import { startTcpProxy, type TcpProxy } from "../../../support/calls/tcp-proxy.js";
import { type OwnPostgres, portOf } from "../../../support/faults/own-postgres.js";
import { onDatabase } from "../../../support/servers/on-database.js";
import { waitUntil } from "../../../support/service/service-process.js";
import { copyData, startOnCopy } from "./data-directory.js";

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
export async function startStandby(primary: OwnPostgres, name = "standby"): Promise<Standby> {
  const data = await copyData(primary);
  const link = await startTcpProxy(portOf(primary.directUrl()));
  const { username, password } = new URL(primary.directUrl());
  const { url, close } = await startOnCopy(data, {
    configuration: [
      `primary_conninfo = 'host=127.0.0.1 port=${link.port} user=${username} password=${password} application_name=${name}'`,
    ],
    signal: "standby.signal",
    readyText: "ready to accept read-only connections",
  });

  const untilPrimarySays = (condition: string) =>
    onDatabase(primary.directUrl(), (client) =>
      waitUntil(async () => {
        const { rowCount } = await client.query(
          `SELECT FROM pg_stat_replication WHERE application_name = $1 AND ${condition}`,
          [name],
        );
        return rowCount === 1;
      }, REPLICATION_LIMIT_MS),
    );
  return {
    url,
    link,
    caughtUp: () => untilPrimarySays("replay_lsn >= pg_current_wal_flush_lsn()"),
    async makeSynchronous() {
      await onDatabase(primary.directUrl(), async (client) => {
        await client.query("ALTER SYSTEM SET synchronous_standby_names = '*'");
        await client.query("SELECT pg_reload_conf()");
      });
      await untilPrimarySays("sync_state = 'sync'");
    },
    promote: () =>
      onDatabase(url, async (client) => {
        await client.query("SELECT pg_promote()");
      }),
    async close() {
      await close();
      await link.close();
    },
  };
}
