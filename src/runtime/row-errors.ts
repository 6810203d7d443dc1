import pg from "pg";

/**
 * The SQLSTATEs that one row of a batch can cause for all of it: bad data (22),
 * a broken constraint (23, 44), a deadlock (40), a policy for rows (42501), too
 * large for an index (54), a lock that was not there in time, and whatever a
 * trigger raises (P0001). Postgres says of each that nothing was written.
 * Not among them is a statement that took too long: on a database that is too
 * slow for a batch, its rows one by one would be slower still.
 * postgresql.org/docs/current/errcodes-appendix.html
 */
const CAUSED_BY_A_ROW = /^(22...|23...|40001|40P01|42501|44...|54...|55P03|P0001)$/;

const LOCK_NOT_AVAILABLE = "55P03";

/** Returns true if the rows of a batch that failed may be tried one by one. */
export function mayBeOneRow(error: unknown): boolean {
  return error instanceof pg.DatabaseError && CAUSED_BY_A_ROW.test(error.code ?? "");
}

/** Returns true if a lock was not there within `lock_timeout`. */
export function isLockTimeout(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.code === LOCK_NOT_AVAILABLE;
}
