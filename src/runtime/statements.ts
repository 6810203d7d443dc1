import type { PoolClient } from "pg";

/** A statement as a value, for many rows: who makes it needs no connection. */
export interface Statement {
  /** Postgres prepares it once for each connection under this name. */
  readonly name: string;
  readonly text: string;
  readonly values: readonly unknown[];
  /** The number of rows that the statement is meant for. One for none is not sent. */
  readonly rows: number;
  /** True if the statement fails unless it touches all of its rows. */
  readonly touchesAll?: boolean;
}

/**
 * Runs statements in their order.
 * @throws if one does not touch the rows that it is meant for.
 */
export async function write(
  transaction: PoolClient,
  statements: readonly Statement[],
): Promise<void> {
  for (const { name, text, values, rows, touchesAll } of statements) {
    if (rows > 0) {
      const { rowCount } = await transaction.query({ name, text, values: [...values] });
      if (touchesAll && rowCount !== rows) {
        throw new Error(`${name} must touch ${rows} rows, and touched ${rowCount}`);
      }
    }
  }
}
