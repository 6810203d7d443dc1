import pg from "pg";

/**
 * The SQLSTATEs that one row of a batch can cause for all of it: bad data (22),
 * a broken constraint (23), a deadlock (40), and a lock or a statement that
 * took too long. Postgres says of each that nothing was written.
 * postgresql.org/docs/current/errcodes-appendix.html
 */
const CAUSED_BY_A_ROW = /^(22...|23...|40001|40P01|55P03|57014)$/;

/** Whether the rows of a batch that failed may be tried one by one. */
export function mayBeOneRow(error: unknown): boolean {
  return error instanceof pg.DatabaseError && CAUSED_BY_A_ROW.test(error.code ?? "");
}
