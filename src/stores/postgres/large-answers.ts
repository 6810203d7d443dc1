import type { Pool } from "pg";
import { decodeOutcome } from "../../idempotency/port/outcome.js";
import { type Scope, scopeHash } from "../../idempotency/port/scope.js";
import type { ClaimResult } from "../../idempotency/port/store.js";
import { createBatches } from "../../runtime/batches.js";
import { refusableBatches } from "../../runtime/database-batches.js";
import { queryLarge } from "./database.js";
import { recordOf } from "./owner-writes.js";
import { ANSWER } from "./statements.js";

/** The primary key of a record. */
interface Named {
  readonly scope: Scope;
}

/**
 * Reads the answers that claims found and left where they are: each by itself,
 * and a few at once, for what is read is in memory several times. Those who wait
 * for the same one share it.
 */
export function createLargeAnswers(
  pool: Pool,
  { maxWaiting }: { readonly maxWaiting: number },
): (named: Named) => Promise<ClaimResult> {
  const reads = createBatches<Named, ClaimResult>({
    lanes: refusableBatches.lanes,
    maxBatchSize: 1,
    maxWaiting,
    subjectOf: recordOf,
    share: { isSame: () => true, follow: (result) => result },
    run: (named) =>
      Promise.all(named.map(async ({ scope }) => ({ ok: true, value: await read(pool, scope) }))),
  });
  return (named) => reads.add(named);
}

async function read(pool: Pool, scope: Scope): Promise<ClaimResult> {
  const { rows } = await queryLarge<{ readonly outcome: Buffer }>(pool, {
    ...ANSWER,
    values: [scope.tenant, scopeHash(scope)],
  });
  const [row] = rows;
  // A completed record only ever becomes an expired one.
  return row === undefined
    ? { kind: "expired" }
    : { kind: "replay", outcome: decodeOutcome(row.outcome) };
}
