import type { Pool } from "pg";
import { encodeOutcome, type Outcome } from "../../idempotency/port/outcome.js";
import { scopeHash } from "../../idempotency/port/scope.js";
import type { Claim } from "../../idempotency/port/store.js";
import { arraysOf, namesOf, remembered } from "../../runtime/arrays.js";
import { bigint, boolean, bytea, columns, float8, text } from "../../runtime/columns.js";
import type { OwnedWork, Written } from "../../runtime/owned-work.js";
import { bounded, completionOf, inState, OWNED_BY_ASKED } from "./statements.js";

/** One row of the work. */
export interface OwnedRow {
  readonly claim: Claim;
  readonly retentionMs: number;
  /** The answer, to be stored with the work. Absent: the claim goes on. */
  readonly outcome?: Outcome | undefined;
}

export interface OwnedWrite {
  readonly work: OwnedWork;
  readonly rows: readonly OwnedRow[];
  /** The columns of the work, a value for each row. */
  readonly values: readonly Buffer[];
  readonly lockTimeoutMs: number;
}

/** Parameters before those of the work. */
const CLAIM_COLUMNS = [
  "tenant text",
  "scope_hash bytea",
  "fencing_token bigint",
  "claim_id text",
  "completes boolean",
  "outcome bytea",
  "retention_ms float8",
] as const;

/** Does the work of many owners, and says by position what became of each. */
export async function writeOwned(
  pool: Pool,
  { work, rows, values, lockTimeoutMs }: OwnedWrite,
): Promise<readonly Written[]> {
  const claims = columns(
    rows,
    text(({ claim: { scope } }) => scope.tenant),
    bytea(({ claim: { scope } }) => scopeHash(scope)),
    bigint(({ claim }) => claim.fencingToken),
    text(({ claim }) => claim.claimId),
    boolean(({ outcome }) => outcome !== undefined),
    bytea(({ outcome }) => (outcome === undefined ? NO_OUTCOME : encodeOutcome(outcome))),
    float8(({ retentionMs }) => retentionMs),
  );
  const found = await pool.query<{ readonly ordinal: number; readonly written: boolean }>({
    name: work.name,
    text: textOf(work),
    values: [lockTimeoutMs, ...claims, ...values],
  });
  const results = rows.map((): Written => "lost");
  for (const { ordinal, written } of found.rows) {
    // Each that is written is also found to be owned.
    if (written || results[ordinal - 1] === "lost") {
      results[ordinal - 1] = written ? "written" : "refused";
    }
  }
  return results;
}

const NO_OUTCOME = new Uint8Array();

const textOf = remembered(({ columns, tables }: OwnedWork) => {
  const all = [...CLAIM_COLUMNS, ...columns];
  return `
WITH ${bounded("$1")}, asked AS MATERIALIZED (
  SELECT asked.* FROM bounded, unnest(${arraysOf(all, 2)}) WITH ORDINALITY
    AS asked (${namesOf(all)}, ordinal)
), owned AS MATERIALIZED (
  SELECT asked.* FROM asked, idempotency_records AS r
  WHERE ${OWNED_BY_ASKED} AND ${inState("r", "executing")}
  ORDER BY r.tenant, r.scope_hash
  FOR NO KEY UPDATE OF r
), ${tables.trim()}, completed AS (
  ${completionOf("(SELECT * FROM written WHERE completes) AS asked")}
)
SELECT ordinal::int, false AS written FROM owned
UNION ALL
SELECT ordinal::int, true FROM written`;
});
