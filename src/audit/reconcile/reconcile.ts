import type { Pool } from "pg";
import type { ListedPayment, Processor, TimeSpan } from "../../payments/processor.js";
import { byPayment, compare, type Difference } from "./compare.js";
import { readOwnByIds, readOwnPayments } from "./read-own.js";

/**
 * The time by which the processor's clock and the database's may differ, and by
 * which a payment may be sent after it began. Milliseconds.
 */
const EDGE_MS = 3_600_000;

export interface Reconciliation {
  /** The payments of the database that were compared. */
  readonly payments: number;
  /** Those among them that were moving: they are compared once they have come to rest. */
  readonly moving: number;
  /** The processor's charges in the span that name no payment: made by somebody else. */
  readonly others: number;
  readonly differences: readonly Difference[];
}

/** The processor's charges, and the time at which the reading of them began. */
export interface Listed {
  readonly charges: readonly ListedPayment[];
  /** On the database's clock. */
  readonly readSince: Date;
}

/**
 * Reads the processor's list. It is read before the database: what happens
 * meanwhile is newer there, where it can be seen.
 *
 * @throws if the processor has no list, or cannot be asked.
 */
export async function readList(
  { listPayments, traits }: Pick<Processor, "listPayments" | "traits">,
  { since, until }: TimeSpan,
  readSince: Date,
): Promise<Listed> {
  if (listPayments === undefined) {
    throw new Error(`the adapter of ${traits.name} has no list of payments`);
  }
  const charges: ListedPayment[] = [];
  const wider = {
    since: new Date(since.getTime() - EDGE_MS),
    until: new Date(until.getTime() + EDGE_MS),
  };
  for await (const charge of listPayments(wider)) {
    charges.push(charge);
  }
  return { charges, readSince };
}

/** Compares the payments and the ledger of a database with the processor's list of the same span. */
export async function reconcile(
  pool: Pool,
  { charges, readSince }: Listed,
  span: TimeSpan,
): Promise<Reconciliation> {
  const { payments: charged } = byPayment(charges);
  const client = await pool.connect();
  try {
    await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    const differences: Difference[] = [];
    const seen = new Set<string>();
    let moving = 0;
    for await (const own of readOwnPayments(client, span, readSince)) {
      seen.add(own.id);
      moving += own.isMoving ? 1 : 0;
      differences.push(...compare(own, charged.get(own.id)));
    }
    const inSpan = (charge: ListedPayment) =>
      charge.createTime >= span.since && charge.createTime < span.until;
    const unseen = [...charged.values()].filter(
      (one) => !seen.has(one.paymentId) && one.charges.some(inSpan),
    );
    const elsewhere = await readOwnByIds(
      client,
      unseen.map(({ paymentId }) => paymentId),
      readSince,
    );
    const ownById = new Map(elsewhere.map((own) => [own.id, own]));
    for (const one of unseen) {
      differences.push(...compare(ownById.get(one.paymentId), one));
    }
    return {
      payments: seen.size + ownById.size,
      moving: moving + elsewhere.filter(({ isMoving }) => isMoving).length,
      others: byPayment(charges.filter(inSpan)).others,
      differences,
    };
  } finally {
    client.release(true); // ends the connection, and with it the transaction
  }
}
