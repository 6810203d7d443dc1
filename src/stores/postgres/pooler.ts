import { randomUUID } from "node:crypto";
import type { Pool, PoolClient } from "pg";

/** A notification takes milliseconds; a machine that is busy starting, somewhat longer. */
const NOTIFICATION_LIMIT_MS = 5_000;

/**
 * Makes sure that a connection stays the same session of Postgres from one
 * transaction to the next: its settings and prepared statements are kept there.
 * A pooler in transaction mode gives another one each time, or the same by chance.
 *
 * So one connection listens, and another notifies it while it is idle. A session
 * of its own hears that. In transaction mode the session that listens belongs to
 * nobody at that moment, whichever it is, and the notification ends there.
 *
 * @throws if nothing is heard.
 */
export async function assertSessions(
  pool: Pool,
  limitMs: number = NOTIFICATION_LIMIT_MS,
): Promise<void> {
  const channel = `payonce_${randomUUID().replaceAll("-", "")}`;
  const listener = await pool.connect();
  try {
    await listener.query(`LISTEN ${channel}`);
    const heard = hears(listener, channel, limitMs);
    await pool.query("SELECT pg_notify($1, '')", [channel]);
    if (!(await heard)) {
      throw new Error(
        "DATABASE_URL: a pooler in transaction mode is in between (pool_mode = transaction or statement), which keeps no session; use session mode, or the database itself",
      );
    }
    await listener.query(`UNLISTEN ${channel}`);
  } finally {
    listener.release();
  }
}

function hears(listener: PoolClient, channel: string, limitMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const end = (isHeard: boolean) => {
      clearTimeout(timer);
      listener.off("notification", onNotification);
      listener.off("error", onError);
      resolve(isHeard);
    };
    const onNotification = (message: { readonly channel: string }) => {
      if (message.channel === channel) {
        end(true);
      }
    };
    const onError = () => end(false);
    const timer = setTimeout(() => end(false), limitMs);
    listener.on("notification", onNotification);
    listener.on("error", onError);
  });
}
