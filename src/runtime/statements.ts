import pg, { type PoolClient, type QueryResult } from "pg";

/** A statement as a value: who makes it needs no connection, and cannot decide when it is sent. */
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
 * Sends statements in their order, in one round trip.
 * @throws if one does not touch the rows that it is meant for.
 */
export async function write(
  transaction: PoolClient,
  statements: readonly Statement[],
): Promise<void> {
  await pipelined(transaction, () => send(transaction, statements).map(mustTouchAll));
}

/** A statement that was sent, and its result. */
export interface Sent {
  readonly statement: Statement;
  readonly result: Promise<QueryResult>;
}

/** Sends statements without waiting. */
export function send(transaction: PoolClient, statements: readonly Statement[]): readonly Sent[] {
  return statements
    .filter(({ rows }) => rows > 0)
    .map((statement) => {
      const { name, text, values } = statement;
      return { statement, result: transaction.query({ name, text, values: [...values] }) };
    });
}

async function mustTouchAll({
  statement: { name, rows, touchesAll },
  result,
}: Sent): Promise<void> {
  const { rowCount } = await result;
  if (touchesAll && rowCount !== rows) {
    throw new Error(`${name} must touch ${rows} rows, and touched ${rowCount}`);
  }
}

/**
 * Sends statements of one transaction in one round trip and waits for all of
 * them. Rejects with the failure that the others follow from: they only say
 * that the transaction is aborted, and may be heard of earlier.
 */
export async function pipelined<Statements extends readonly unknown[] | []>(
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
