import type { Pool, PoolClient, QueryResult } from "pg";

/**
 * Runs work in one transaction: committed when it resolves, rolled back when
 * it rejects. A rejection of the commit itself says nothing of whether it
 * happened.
 */
export function inTransaction<Result>(
  pool: Pool,
  work: (transaction: PoolClient) => Promise<Result>,
): Promise<Result> {
  return onConnection(pool, async (client) => {
    await client.query(BEGIN);
    const result = await work(client);
    mustBeCommitted(await client.query("COMMIT"));
    return result;
  });
}

/**
 * Isolation, whatever the database's default: a statement after the lock on the
 * claim must see what the claim's previous owner committed. Waits for locks are
 * bounded by the limit of each statement, unless the work says more.
 */
const BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = 0";

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
