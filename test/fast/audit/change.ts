import { audit } from "../../../src/audit/audit.js";
import type { ClientCall } from "../../../src/audit/client-call.js";
import type { Facts } from "../../../src/audit/facts.js";
import {
  type Operation,
  type OperationKind,
  operationIdOf,
} from "../../../src/payments/operation.js";
import { type cleanFacts, scopeOf } from "./story.js";

/** The facts that are no longer as they were. */
export type Damage = (facts: ReturnType<typeof cleanFacts>) => Partial<Facts>;

/** The invariants that the facts violate. */
export function violatedBy(facts: Facts): readonly string[] {
  return audit(facts).results.flatMap(({ id, violations }) => (violations.length > 0 ? [id] : []));
}

/** The checks that they fail, by what must hold. */
export function failedBy(facts: Facts): readonly string[] {
  return audit(facts).results.flatMap(({ title, violations }) =>
    violations.length > 0 ? [title] : [],
  );
}

/**
 * Puts others in the place of each item that matches.
 * @throws if none does: the test would say nothing.
 */
export function change<Item>(
  items: readonly Item[],
  matches: (item: Item) => boolean,
  replace: (item: Item) => NoInfer<Item> | readonly NoInfer<Item>[],
): readonly Item[] {
  if (!items.some(matches)) {
    throw new Error("there is nothing to change");
  }
  return items.flatMap((item) => (matches(item) ? replace(item) : [item]));
}

export function remove<Item>(
  items: readonly Item[],
  matches: (item: Item) => boolean,
): readonly Item[] {
  return change(items, matches, () => []);
}

/** Without the request that it began for, as older builds stored it. */
export function ofOlderBuild(
  operations: Facts["operations"],
  matches: (operation: Operation) => boolean,
): Facts["operations"] {
  return change(operations, matches, ({ fingerprint: _, ...operation }) => operation);
}

export function isOperation(kind: OperationKind, key: string) {
  const id = operationIdOf(scopeOf(kind, key));
  return (operation: { readonly id: string }) => operation.id === id;
}

export function isKey(key: string) {
  return ({ scope }: { readonly scope?: { readonly key: string } }) => scope?.key === key;
}

export function isFirst(key: string) {
  return (call: ClientCall) => isKey(key)(call) && !call.isReplayed;
}

export function isReplay(key: string) {
  return (call: ClientCall) => isKey(key)(call) && call.isReplayed;
}
