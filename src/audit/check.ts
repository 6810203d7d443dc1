import type { Scope } from "../idempotency/port/scope.js";
import type { AuditedRecord } from "./facts.js";
import type { IndexedFacts } from "./index-facts.js";

export type InvariantId = `I${1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12 | 13 | 14 | 15}`;

/** One invariant, and how it is decided. */
export interface Check {
  readonly id: InvariantId;
  /** The invariant, as a sentence. */
  readonly title: string;
  /** True if the invariant can be decided only with the log of clients' calls. */
  readonly needsCalls: boolean;
  readonly check: (facts: IndexedFacts) => Finding;
}

export interface Finding {
  /** The number of items that were looked at. */
  readonly checked: number;
  readonly violations: readonly Violation[];
}

/** One thing that is not as an invariant says. */
export interface Violation {
  /** The payment, operation, effect or key in question. */
  readonly subject: string;
  readonly problem: string;
}

/** Looks at each item and collects its problems, in sentences without their subject. */
export function checkEach<Item>(
  items: Iterable<Item>,
  subjectOf: (item: Item) => string,
  problemsOf: (item: Item) => Iterable<string>,
): Finding {
  const violations: Violation[] = [];
  let checked = 0;
  for (const item of items) {
    checked += 1;
    for (const problem of problemsOf(item)) {
      violations.push({ subject: subjectOf(item), problem });
    }
  }
  return { checked, violations };
}

export function together(...findings: readonly Finding[]): Finding {
  return {
    checked: findings.reduce((sum, { checked }) => sum + checked, 0),
    violations: findings.flatMap(({ violations }) => violations),
  };
}

type Named = { readonly tenant: string; readonly id: string };

export function paymentText({ tenant, id }: Named): string {
  return `payment ${id} of ${tenant}`;
}

export function operationText({ tenant, id }: Named): string {
  return `operation ${id} of ${tenant}`;
}

export function keyText({ tenant, operation, key }: Scope): string {
  return `key ${JSON.stringify(key)} of ${tenant} for ${operation}`;
}

/** A tombstone has forgotten its key. */
export function recordText({ tenant, scope, scopeHash }: AuditedRecord): string {
  return scope === undefined
    ? `tombstone ${Buffer.from(scopeHash).toString("hex")} of ${tenant}`
    : keyText(scope);
}
