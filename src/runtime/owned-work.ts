/**
 * Work under claims as one statement, which is one round trip and one commit.
 * The store locks the claims in it, the work is done for those that are still
 * their owners', and the store completes those for which it has been done.
 */
export interface OwnedWork {
  /** Postgres prepares the statement once for each connection under this name. */
  readonly name: string;
  /** The columns of the rows that the work is about, each a name and its type, such as `amount bigint`. */
  readonly columns: readonly string[];
  /**
   * Table expressions. They begin with the rows of `owned`, whose claims are
   * locked, and end with `written`: those of its rows, with all of their columns,
   * for which all is written. Any other row must leave nothing behind.
   */
  readonly tables: string;
}

/**
 * What became of a row. `refused`: its owner has it still, and the work found
 * something else than it was planned for, and wrote nothing.
 */
export type Written = "written" | "refused" | "lost";
