import type { AuditReport, AuditResult } from "../../audit/audit.js";

/** The most lines of one invariant or list that the text shows; --json prints all. */
const MAX_LINES = 20;

/** The report for people: a table, and what is wrong below it. */
export function auditText({ results, parked }: AuditReport): string {
  const width = Math.max(...results.map(({ title }) => title.length));
  const row = (id: string, title: string, checked: string, violations: string) =>
    [id.padEnd(4), title.padEnd(width), checked.padStart(9), violations.padStart(10)].join("  ");
  return [
    row("", "invariant", "checked", "violations"),
    ...results.map((result) =>
      row(result.id, result.title, checkedText(result), violationsText(result)),
    ),
    "-: only what clients saw decides it",
    `keys that wait for an operator: ${parked.length}`,
    ...listText(parked.map(({ subject, reason }) => `${subject}: ${reason}`)),
    ...results.flatMap(({ id, violations }) =>
      violations.length === 0
        ? []
        : [
            `${id} is violated`,
            ...listText(violations.map(({ subject, problem }) => `${subject} ${problem}`)),
          ],
    ),
  ].join("\n");
}

/** The report for programs. */
export function auditJson(report: AuditReport): string {
  return JSON.stringify(report, null, 2);
}

function checkedText({ checked }: AuditResult): string {
  return checked === undefined ? "-" : String(checked);
}

function violationsText({ checked, violations }: AuditResult): string {
  return checked === undefined ? "-" : String(violations.length);
}

function listText(lines: readonly string[]): readonly string[] {
  const more = lines.length - MAX_LINES;
  return [
    ...lines.slice(0, MAX_LINES).map((line) => `  ${line}`),
    ...(more > 0 ? [`  ... and ${more} more`] : []),
  ];
}
