import { setTimeout as sleep } from "node:timers/promises";
import pg, { type Pool } from "pg";

/** The time between two tries. Milliseconds. */
const POLL_MS = 250;

export interface ReachableOptions {
  /** The time for which the database is waited for. Milliseconds. */
  readonly waitMs: number;
  /** Is told of the reason to wait: at first, and whenever it is another. Must not throw. */
  readonly onWait: (error: unknown) => void;
}

/**
 * Waits until the database answers, and takes writes: it may be started after
 * this process, replay its log, or be a standby until a failover is over.
 *
 * @throws the last reason once the time is over; at once if no wait would help,
 *   as with a wrong password.
 */
export async function untilReachable(
  pool: Pool,
  { waitMs, onWait }: ReachableOptions,
): Promise<void> {
  const giveUpAtMs = performance.now() + waitMs;
  let told: string | undefined;
  for (;;) {
    try {
      await assertWritable(pool);
      return;
    } catch (error) {
      if (!mayPass(error) || performance.now() >= giveUpAtMs) {
        throw error;
      }
      if (String(error) !== told) {
        told = String(error);
        onWait(error);
      }
      await sleep(POLL_MS);
    }
  }
}

class ReadOnlyError extends Error {
  override readonly name = "ReadOnlyError";
}

/** Read-only by default is how operators, and managed services with a full disk, stop all writers. */
async function assertWritable(pool: Pool): Promise<void> {
  const { rows } = await pool.query<{ standby: boolean; read_only: boolean }>(
    `SELECT pg_is_in_recovery() AS standby,
       current_setting('default_transaction_read_only')::boolean AS read_only`,
  );
  const [server] = rows;
  if (server?.standby !== false) {
    throw new ReadOnlyError("the server is a standby, which takes no writes");
  }
  if (server.read_only) {
    throw new ReadOnlyError(
      "default_transaction_read_only is on, for the server, the database or the role: no write is possible",
    );
  }
}

/** The system's reasons for which nobody answers at an address. */
const NOBODY_THERE: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
]);

/** Postgres's: starting or stopping, no connection left, and what poolers say of a server that is away. */
const NOT_YET = /^(57P0[123]|53300|08...)$/;

/** What the driver says, without a code, of a server that does not answer or hangs up. */
const GAVE_UP = /^(timeout expired|Connection terminated|timeout exceeded)/;

function mayPass(error: unknown): boolean {
  if (error instanceof pg.DatabaseError) {
    return NOT_YET.test(error.code ?? "");
  }
  if (error instanceof ReadOnlyError) {
    return true;
  }
  if (!(error instanceof Error)) {
    return false;
  }
  const code = "code" in error ? String(error.code) : "";
  // Of a socket's file, and not of that of a certificate.
  const isConnecting = "syscall" in error && error.syscall === "connect";
  return (
    NOBODY_THERE.has(code) || (code === "ENOENT" && isConnecting) || GAVE_UP.test(error.message)
  );
}
