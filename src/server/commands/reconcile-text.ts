import type { Difference, DifferenceKind } from "../../audit/reconcile/compare.js";
import type { Reconciliation } from "../../audit/reconcile/reconcile.js";

/** The most differences that the text shows; --json prints all. */
const MAX_LINES = 50;

const meanings: Record<DifferenceKind, string> = {
  missing_here: "the processor has it, the database does not",
  missing_there: "the database has it, the processor does not",
  charged_twice: "the processor charged it more than once",
  declined_here: "declined here, charged there",
  currency: "another currency",
  authorized: "another amount is authorized",
  captured: "another amount is captured",
  refunded: "another amount is refunded",
  canceled: "canceled on one side alone",
  ledger: "the ledger has another balance",
};

/** The result for people: a table of the differences, and the counts below it. */
export function reconciliationText(result: Reconciliation): string {
  const { payments, moving, others, differences } = result;
  const shown = differences.slice(0, MAX_LINES);
  const more = differences.length - shown.length;
  return [
    ...(shown.length === 0 ? [] : table(shown)),
    ...(more > 0 ? [`... and ${more} more: --json prints all`] : []),
    `${payments} payments compared, ${moving} of them moving, ${differences.length} differences`,
    ...(others === 0 ? [] : [`${others} charges of the processor name no payment`]),
  ].join("\n");
}

/** The result for programs. Amounts are text: they may be larger than what a number holds. */
export function reconciliationJson(result: Reconciliation): string {
  return JSON.stringify(result, null, 2);
}

function table(differences: readonly Difference[]): readonly string[] {
  const rows = [
    ["payment", "tenant", "here", "there", "what differs", "the processor's names"],
    ...differences.map(({ kind, paymentId, tenant = "-", here, there, references }) => [
      paymentId,
      tenant,
      here,
      there,
      `${kind}: ${meanings[kind]}`,
      references.join(" "),
    ]),
  ];
  const widths = rows[0]?.map((_, column) =>
    Math.max(...rows.map((cells) => cells[column]?.length ?? 0)),
  );
  return rows.map((cells) =>
    cells
      .map((cell, column) => cell.padEnd(widths?.[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}
