import pg from "pg";
import { CallError, refusal } from "../../idempotency/answers/errors.js";

/** After how long to ask a database again that could not be reached. */
const RETRY_DELAY_MS = 1_000;

/**
 * The errors in which a server speaks of itself and not of the statement: no connection, no
 * resources, an operator's stop, no such database
 * (https://www.postgresql.org/docs/current/errcodes-appendix.html).
 */
const UNAVAILABLE_CLASSES: ReadonlySet<string | undefined> = new Set(["08", "53", "57", "3D"]);

/**
 * Runs a query that serves a call without side effects.
 * @throws CallError STORE_UNAVAILABLE where the database cannot be asked.
 */
export async function read<Result>(query: () => Promise<Result>): Promise<Result> {
  try {
    return await query();
  } catch (error) {
    const isOfStatement =
      error instanceof pg.DatabaseError && !UNAVAILABLE_CLASSES.has(error.code?.slice(0, 2));
    throw isOfStatement
      ? error
      : new CallError(
          refusal("STORE_UNAVAILABLE", "the store of record cannot be reached", {
            retryDelayMs: RETRY_DELAY_MS,
          }),
        );
  }
}
