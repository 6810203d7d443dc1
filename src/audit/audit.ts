import type { InvariantId, Violation } from "./check.js";
import { checks } from "./checks.js";
import type { Facts } from "./facts.js";
import { indexFacts } from "./index-facts.js";
import { type Parked, parkedKeys } from "./parked-keys.js";

export interface AuditReport {
  readonly results: readonly AuditResult[];
  /** Keys that wait for an operator. No violation: a call that cannot be found out ends so. */
  readonly parked: readonly Parked[];
}

export interface AuditResult {
  readonly id: InvariantId;
  readonly title: string;
  /** The number of items that were looked at; absent where the facts decide nothing. */
  readonly checked?: number;
  readonly violations: readonly Violation[];
}

/** Decides every invariant that the facts say something about. */
export function audit(facts: Facts): AuditReport {
  const indexed = indexFacts(facts);
  const results = checks.map(({ id, title, needsCalls, check }) =>
    needsCalls && facts.calls === undefined
      ? { id, title, violations: [] }
      : { id, title, ...check(indexed) },
  );
  return { results, parked: parkedKeys(facts) };
}
