import pg, { type Pool, type PoolClient } from "pg";

export interface TransactionOptions {
  /** Bounds each wait for a lock. Default: only the statement's own limit does. Milliseconds. */
  readonly lockTimeoutMs?: number;
}

/**
 * Runs work in one transaction: committed when it resolves, rolled back when
 * it rejects. A rejection of the commit itself says nothing of whether it
 * happened.
 */
export function inTransaction<Result>(
  pool: Pool,
  work: (transaction: PoolClient) => Promise<Result>,
  options: TransactionOptions = {},
): Promise<Result> {
  return inPipelinedTransaction(pool, { ...options, open: async () => {}, work });
}

/** A transaction whose parts share round trips. */
export interface PipelinedTransaction<Opening, Result> extends TransactionOptions {
  /**
   * Sent with BEGIN. Should that fail, these statements ran without a
   * transaction: they lock, read, or write what may stand alone.
   */
  readonly open: (transaction: PoolClient) => Promise<Opening>;
  /** The rest. */
  readonly work: (transaction: PoolClient, opening: Opening) => Promise<Result>;
  /** Whether COMMIT follows at once what `work` sends before it first waits. Default: once `work` resolves. */
  readonly commit?: "with the work" | "after the work";
}

/**
 * Isolation, whatever the database's default: a statement after the lock on the
 * claim must see what the claim's previous owner committed. Plans, once for
 * each statement with a name: Postgres would else plan anew for every batch,
 * since it takes arrays of unknown length for longer ones than most batches
 * have, and with a few items that takes longer than all the rest.
 */
const BEGIN =
  "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL plan_cache_mode = force_generic_plan";

/** `inTransaction`, in as few round trips as its parts allow. */
export async function inPipelinedTransaction<Opening, Result>(
  pool: Pool,
  { lockTimeoutMs, open, work, commit = "after the work" }: PipelinedTransaction<Opening, Result>,
): Promise<Result> {
  const client = await connect(pool);
  const settings = lockTimeoutMs === undefined ? "" : `; SET LOCAL lock_timeout = ${lockTimeoutMs}`;
  const begin = `${BEGIN}${settings}`;
  let broken: Error | undefined;
  try {
    const [, opening] = await sendPipelined(client, () => [client.query(begin), open(client)]);
    const [result, { command }] =
      commit === "with the work"
        ? await sendPipelined(client, () => [work(client, opening), client.query("COMMIT")])
        : [await work(client, opening), await client.query("COMMIT")];
    if (command !== "COMMIT") {
      // Postgres answers so, without an error, where `work` has hidden that a statement failed.
      throw new Error("the transaction was rolled back: one of its statements failed");
    }
    return result;
  } catch (error) {
    await client.query("ROLLBACK").catch((rollbackError: Error) => {
      broken = rollbackError;
    });
    throw error;
  } finally {
    client.off("error", ignore);
    client.release(broken);
  }
}

/**
 * Sends statements of one transaction in one round trip and waits for all of
 * them. Rejects with the failure that the others follow from: they only say
 * that the transaction is aborted, and may be heard of earlier.
 */
export async function sendPipelined<Statements extends readonly unknown[] | []>(
  { connection: { stream } }: PoolClient,
  send: () => Statements,
) {
  // One write to the socket for all, which costs a system call: also for those
  // that gather for a moment, like the completions of many owners.
  stream.cork();
  let statements: Statements;
  try {
    statements = send();
  } finally {
    queueMicrotask(() => stream.uncork());
  }
  const settled = await Promise.allSettled(statements);
  const failures = settled.flatMap((one) => (one.status === "rejected" ? [one.reason] : []));
  if (failures.length > 0) {
    throw failures.find((failure) => !isAborted(failure)) ?? failures[0];
  }
  return Promise.all(statements);
}

const IN_FAILED_TRANSACTION = "25P02";

function isAborted(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.code === IN_FAILED_TRANSACTION;
}

/**
 * A connection lost while it is in use emits `error`, and without a listener
 * that would end the process. The query in flight rejects all the same. With a
 * promise of the pool the listener would come too late for a server that says
 * in one packet that it is ready and that it ends the connection.
 */
function connect(pool: Pool): Promise<PoolClient> {
  return new Promise((resolve, reject) => {
    pool.connect((error, client) => {
      if (client === undefined) {
        reject(error);
      } else {
        client.on("error", ignore);
        resolve(client);
      }
    });
  });
}

function ignore(): void {}
