import { digest } from "./digest.js";

/**
 * What one idempotency key means: the same key of another tenant, or for
 * another operation, is another key.
 */
export interface Scope {
  readonly tenant: string;
  /** The full method name, or the name that the method's policy pins. */
  readonly operation: string;
  readonly key: string;
}

// One call asks for them several times: at the gate, and at each step of its record.
const hashes = new WeakMap<Scope, Uint8Array>();
const derived = new WeakMap<Scope, Map<string, string>>();

/** SHA-256 of the scope: its identity in every store. */
export function scopeHash(scope: Scope): Uint8Array {
  let hash = hashes.get(scope);
  if (hash === undefined) {
    hash = digest("payonce.scope.v1", scope.tenant, scope.operation, scope.key);
    hashes.set(scope, hash);
  }
  return hash;
}

/**
 * An identifier that stands for (tenant, operation, key) for good. It holds no
 * attempt number and nothing random, so that the same call makes the same
 * identifier however often, and against whatever restored database, it is
 * repeated. `label` keeps identifiers of different kinds apart and is their
 * prefix.
 *
 * 160 bits: among 10^15 identifiers the chance of one collision is below 10^-18.
 */
export function deriveId(label: string, scope: Scope): string {
  const { tenant, operation, key } = scope;
  let ids = derived.get(scope);
  if (ids === undefined) {
    ids = new Map();
    derived.set(scope, ids);
  }
  let id = ids.get(label);
  if (id === undefined) {
    const hash = digest(`payonce.id.${label}.v1`, tenant, operation, key);
    id = `${label}_${Buffer.from(hash.subarray(0, 20)).toString("hex")}`;
    ids.set(label, id);
  }
  return id;
}
