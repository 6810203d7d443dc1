import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { withErrorPrefix } from "../server/error-prefix.js";
import { lockDataDirectory } from "./data-dir.js";
import { findFreePort } from "./free-port.js";
import {
  type ClusterOptions,
  clusterIn,
  ENDING_STEPS,
  endLeftoverServer,
  initialise,
  ROLE,
} from "./postgres-cluster.js";
import { findPostgresPrograms } from "./postgres-package.js";
import { findPostgresUser } from "./postgres-user.js";
import { type ServerProcess, ServerStartError, startServerProcess } from "./server-process.js";

const DATABASE = "payonce";

/** What the driver would else take from the environment (PGSSLMODE, ...), meant for other servers. */
const PARAMETERS = new URLSearchParams({ sslmode: "disable", sslnegotiation: "postgres" });

/** After a crash Postgres first replays its log; with the default limit of 1 GB of it that takes seconds. */
const START_LIMIT_MS = 120_000;

/**
 * Another process took the port, or backends of a killed server are still on
 * their way out. Both pass within moments.
 */
const PASSING_TROUBLE = /Address already in use|pre-existing shared memory block/;
const START_ATTEMPTS = 20;
const START_PAUSE_MS = 500;

export interface EmbeddedPostgresOptions {
  /** Everything is kept in its subfolder `postgres`, from one start to the next. */
  readonly dataDir: string;
  readonly log: (line: string) => void;
}

export interface EmbeddedPostgres {
  /** Connects to the database `payonce`. Holds the password; the port changes with each start. */
  readonly url: string;
  /** The server's process id. */
  readonly pid: number;
  /** The user that the server runs as, where it is not the user of this process. */
  readonly user: string | undefined;
  /** Shuts the server down, within the limit if there is one, and gives the folder free. */
  stop(limitMs?: number): Promise<void>;
}

/**
 * Starts a real Postgres on 127.0.0.1 for this process alone, with all of
 * Postgres's durability: what it acknowledged survives `kill -9` of this
 * process, of Postgres, or of both. A server left over by a killed process is
 * shut down first.
 *
 * @throws when another process uses the folder, or Postgres cannot start
 */
export async function startEmbeddedPostgres(
  options: EmbeddedPostgresOptions,
): Promise<EmbeddedPostgres> {
  const { log } = options;
  const programs = await findPostgresPrograms();
  const lock = await lockDataDirectory(join(options.dataDir, "postgres"));
  const cluster = clusterIn(lock.path);
  let server: ServerProcess | undefined;
  const stop = async (limitMs?: number) => {
    await server?.stop(limitMs);
    await lock.release();
  };
  try {
    const user = await findPostgresUser({
      program: programs.postgres,
      directory: lock.path,
      data: cluster.data,
    });
    const { started, password } = await withErrorPrefix("DATA_DIR", async () => {
      await initialise({ programs, cluster, user });
      await endLeftoverServer(cluster, log);
      return {
        password: await readFile(cluster.passwordFile, "utf8"),
        started: await start({ programs, cluster, user, log }),
      };
    });
    server = started.server;
    const url = (database: string) =>
      `postgres://${ROLE}:${password}@127.0.0.1:${started.port}/${database}?${PARAMETERS}`;
    await createDatabaseIfMissing(url("postgres"));
    return { url: url(DATABASE), pid: server.pid, user: user.name, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface StartOptions extends ClusterOptions {
  readonly log: (line: string) => void;
}

interface StartedServer {
  readonly server: ServerProcess;
  readonly port: number;
}

async function start(options: StartOptions): Promise<StartedServer> {
  const { programs, cluster, user, log } = options;
  for (let attempt = 1; ; attempt++) {
    const port = await findFreePort();
    try {
      const server = await startServerProcess({
        name: "Postgres",
        command: user.command(programs.postgres, ["-D", cluster.data, ...settings(port)]),
        readyText: "database system is ready to accept connections",
        startLimitMs: START_LIMIT_MS,
        endingSteps: ENDING_STEPS,
        log,
      });
      return { server, port };
    } catch (error) {
      const willPass = error instanceof ServerStartError && PASSING_TROUBLE.test(error.output);
      if (!willPass || attempt === START_ATTEMPTS) {
        throw error;
      }
      await sleep(START_PAUSE_MS);
    }
  }
}

function settings(port: number): readonly string[] {
  return Object.entries({
    listen_addresses: "127.0.0.1",
    port: String(port),
    unix_socket_directories: "",
    // The defaults, stated so that no edited configuration file can weaken what
    // the service answers for.
    fsync: "on",
    full_page_writes: "on",
    synchronous_commit: "on",
    // Each service process may take 20; several may share this server.
    max_connections: "300",
    // The start is read off these messages.
    log_destination: "stderr",
    logging_collector: "off",
    lc_messages: "C",
  }).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
}

async function createDatabaseIfMissing(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const found = await client.query("SELECT FROM pg_database WHERE datname = $1", [DATABASE]);
    if (found.rowCount === 0) {
      await client.query(`CREATE DATABASE ${DATABASE}`);
    }
  } finally {
    await client.end();
  }
}
