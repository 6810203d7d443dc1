import { inspect, isDeepStrictEqual } from "node:util";

/** The adapter, or its double, does not keep the contract. */
export class ContractViolation extends Error {
  override readonly name = "ContractViolation";
}

/** @throws ContractViolation unless it holds. */
export function must(holds: boolean, problem: string): asserts holds {
  if (!holds) {
    throw new ContractViolation(problem);
  }
}

/** @throws ContractViolation unless both are the same. */
export function mustEqual(actual: unknown, expected: unknown, what: string): void {
  must(isDeepStrictEqual(actual, expected), `${what}: ${show(actual)}, expected ${show(expected)}`);
}

/** Returns a value as one line for a message. */
export function show(value: unknown): string {
  return value instanceof Error
    ? `${value.name}: ${value.message}`
    : inspect(value, { breakLength: Number.POSITIVE_INFINITY, depth: 6 });
}
