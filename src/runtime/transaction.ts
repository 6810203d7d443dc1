import type { Pool, PoolClient, QueryResult } from "pg";
import { pipelined } from "./statements.js";

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
  return inOpenedTransaction(pool, { ...options, open: async () => {}, work });
}

/** A transaction that begins in one round trip with its first statements. */
export interface Opened<Opening> extends TransactionOptions {
  /**
   * Sent with BEGIN. Should that fail, these statements ran without a
   * transaction: they lock, read, or write what may stand alone.
   */
  readonly open: (transaction: PoolClient) => Promise<Opening>;
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

/** `inTransaction`, whose first statements go with BEGIN. */
export function inOpenedTransaction<Opening, Result>(
  pool: Pool,
  {
    work,
    ...opened
  }: Opened<Opening> & {
    /** The rest. */
    readonly work: (transaction: PoolClient, opening: Opening) => Promise<Result>;
  },
): Promise<Result> {
  return onConnection(pool, async (client) => {
    const result = await work(client, await begin(client, opened));
    mustBeCommitted(await client.query("COMMIT"));
    return result;
  });
}

async function begin<Opening>(
  client: PoolClient,
  { lockTimeoutMs, open }: Opened<Opening>,
): Promise<Opening> {
  const settings = lockTimeoutMs === undefined ? "" : `; SET LOCAL lock_timeout = ${lockTimeoutMs}`;
  const [, opening] = await pipelined(client, () => [
    client.query(`${BEGIN}${settings}`),
    open(client),
  ]);
  return opening;
}

/** Postgres answers COMMIT so, without an error, where it was hidden that a statement failed. */
function mustBeCommitted(result: QueryResult | undefined): void {
  if (result?.command !== "COMMIT") {
    throw new Error("the transaction was rolled back: one of its statements failed");
  }
}

/** Runs a transaction on a connection of its own; rolls it back where it rejects. */
async function onConnection<Result>(
  pool: Pool,
  run: (client: PoolClient) => Promise<Result>,
): Promise<Result> {
  const client = await connect(pool);
  let broken: Error | undefined;
  try {
    return await run(client);
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
