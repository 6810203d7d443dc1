import { chmod, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findFreePort } from "../../../src/dev-servers/free-port.js";
import { startEmbeddedPostgres } from "../../../src/dev-servers/postgres.js";
import { clusterIn, ENDING_STEPS } from "../../../src/dev-servers/postgres-cluster.js";
import { findPostgresPrograms } from "../../../src/dev-servers/postgres-package.js";
import { findPostgresUser } from "../../../src/dev-servers/postgres-user.js";
import { startServerProcess } from "../../../src/dev-servers/server-process.js";
import { createShiftedClock, withClock } from "../clock-shim/clock-shim.js";
import { guard } from "../servers/guard.js";
import { withPort } from "./own-postgres.js";

const START_LIMIT_MS = 60_000;

export interface ShiftedPostgres {
  readonly url: string;
  /** How far the server's wall clock is ahead from now on. Seconds. */
  shift(seconds: number): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a Postgres whose clock can jump. */
export async function startShiftedPostgres(): Promise<ShiftedPostgres> {
  const directory = await mkdtemp(join(tmpdir(), "payonce-test-shifted-postgres-"));
  await chmod(directory, 0o755); // started by root, Postgres runs as another user
  const made = await startEmbeddedPostgres({ dataDir: directory, log: () => {} });
  await made.stop();

  const { postgres } = await findPostgresPrograms();
  const clockDirectory = await mkdtemp(join(directory, "clock-"));
  await chmod(clockDirectory, 0o755);
  const clock = await createShiftedClock(clockDirectory);
  const program = await withClock(postgres, clock, clockDirectory);
  const { data } = clusterIn(join(directory, "postgres"));
  const user = await findPostgresUser({ program, directory, data });
  const port = await findFreePort();
  const server = await startServerProcess({
    name: "Postgres",
    command: user.command(program, [
      ...["-D", data, "-c", `port=${port}`, "-c", "listen_addresses=127.0.0.1"],
      ...["-c", "unix_socket_directories=", "-c", "max_connections=100", "-c", "lc_messages=C"],
    ]),
    readyText: "database system is ready to accept connections",
    startLimitMs: START_LIMIT_MS,
    endingSteps: ENDING_STEPS,
    log: () => {},
  });
  const guarded = guard({ pid: server.pid, signal: "QUIT", directory });
  return {
    url: withPort(made.url, port),
    shift: clock.shift,
    async stop() {
      await server.stop();
      await guarded.close();
    },
  };
}
