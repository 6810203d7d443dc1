import { setTimeout as sleep } from "node:timers/promises";
import type { PoolClient } from "pg";

/** Any number that no other program locks: the ASCII codes of "payonce" cut to 32 bits. */
const MIGRATION_LOCK = 0x7061796f;

/** The time between two tries for the lock. Milliseconds. */
const POLL_MS = 100;

export interface LockOptions {
  /** The time for which another's migration is waited for. Milliseconds. */
  readonly waitMs: number;
  /** Is told, in words, who is waited for: at first, and whenever it is another. */
  readonly onWait: (holder: string) => void;
}

/**
 * Takes the lock on migrations, held until the end of the transaction. Tried
 * again and again, and not waited for within a statement: a statement that waits
 * has a snapshot, which an index that is being built without locks waits for.
 *
 * @throws if another holds it past the limit, whether it is at work or dead.
 */
export async function takeMigrationLock(
  client: PoolClient,
  { waitMs, onWait }: LockOptions,
): Promise<void> {
  const giveUpAtMs = performance.now() + waitMs;
  let told: string | undefined;
  while (!(await tryLock(client))) {
    const holder = await holderOf(client);
    if (holder !== undefined && holder.words !== told) {
      told = holder.words;
      onWait(holder.words);
    }
    if (performance.now() >= giveUpAtMs) {
      throw new Error(
        `another migration is under way for longer than ${waitMs} ms: ${told ?? "by a session that nobody sees"}. ` +
          `If that is at work, wait for it; if it is dead, end it: SELECT pg_terminate_backend(${holder?.pid ?? "pid"})`,
      );
    }
    await sleep(POLL_MS);
  }
}

async function tryLock(client: PoolClient): Promise<boolean> {
  const { rows } = await client.query<{ locked: boolean }>(
    "SELECT pg_try_advisory_xact_lock($1) AS locked",
    [MIGRATION_LOCK],
  );
  return rows[0]?.locked === true;
}

interface Holder {
  readonly pid: number;
  readonly words: string;
}

/** Nobody, where the lock has just become free. Of another role's session only its names are seen. */
async function holderOf(client: PoolClient): Promise<Holder | undefined> {
  const { rows } = await client.query<Holder>(
    `SELECT pid, concat_ws(' ', 'Postgres process', pid, 'of', usename,
         '(' || nullif(application_name, '') || ')', 'from ' || host(client_addr),
         'connected at', date_trunc('second', backend_start)) AS words
     FROM pg_locks JOIN pg_stat_activity USING (pid)
     WHERE locktype = 'advisory' AND classid = 0 AND objid = $1 AND objsubid = 1 AND granted
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    [MIGRATION_LOCK],
  );
  return rows[0];
}
