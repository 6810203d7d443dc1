import type { Effect } from "../gen/payonce/sandbox/v1/sandbox_pb.js";
import type { ClientCall } from "./client-call.js";
import type { AuditLimits, DatabaseFacts, Facts } from "./facts.js";

export interface FactSources extends AuditLimits {
  /** Reads one snapshot. */
  readonly readDatabase: () => Promise<DatabaseFacts>;
  /** Reads the processor's journal from the effect after this one on. */
  readonly readEffects: (afterSequence: bigint) => Promise<readonly Effect[]>;
  /** Complete before the facts are collected. */
  readonly calls?: readonly ClientCall[];
}

/**
 * Reads the journal, then the database, then what the journal got meanwhile. An
 * operation is stored before its effect, so an effect of the first reading has
 * a row by the time the database is read. An effect is in the journal before
 * its operation is approved, so an operation that is approved in the database
 * has its effect by the second reading. Neither order alone would do: payments
 * under way would look like effects without rows, or rows without effects.
 */
export async function collectFacts({
  readDatabase,
  readEffects,
  calls,
  ...limits
}: FactSources): Promise<Facts> {
  const before = await readEffects(0n);
  const settledSequence = before.at(-1)?.sequence ?? 0n;
  const database = await readDatabase();
  const after = await readEffects(settledSequence);
  return {
    ...database,
    ...limits,
    effects: [...before, ...after],
    settledSequence,
    ...(calls === undefined ? {} : { calls }),
  };
}
