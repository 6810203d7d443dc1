import { digest } from "../request/digest.js";

/**
 * Tenant, operation and key together. One scope has one record: the same key of
 * another tenant, or for another operation, is another scope.
 */
export interface Scope {
  readonly tenant: string;
  /** The full method name, or the name that the method's policy pins. */
  readonly operation: string;
  readonly key: string;
}

/** Copies a scope so that it keeps its hash: one call asks for it many times. */
export function rememberingScope(scope: Scope): Scope {
  return scope instanceof RememberingScope ? scope : new RememberingScope(scope);
}

class RememberingScope implements Scope {
  readonly tenant: string;
  readonly operation: string;
  readonly key: string;
  // Private, so that a copy with another key does not take them along.
  #hash: Uint8Array | undefined;
  #ids: Map<string, string> | undefined;

  constructor({ tenant, operation, key }: Scope) {
    this.tenant = tenant;
    this.operation = operation;
    this.key = key;
  }

  hash(): Uint8Array {
    this.#hash ??= makeHash(this);
    return this.#hash;
  }

  id(label: string): string {
    this.#ids ??= new Map();
    const id = this.#ids.get(label) ?? makeId(label, this);
    this.#ids.set(label, id);
    return id;
  }
}

/** Returns SHA-256 of the scope: its identity in every store. */
export function scopeHash(scope: Scope): Uint8Array {
  return scope instanceof RememberingScope ? scope.hash() : makeHash(scope);
}

/**
 * Derives an identifier that stands for (tenant, operation, key) for good. It
 * holds no attempt number and nothing random, so that the same call makes the
 * same identifier however often, and against whatever restored database, it is
 * repeated. `label` keeps identifiers of different kinds apart and is their
 * prefix: `deriveId("order", scope)` is `order_` and 40 hex digits.
 *
 * 160 bits: among 10^15 identifiers the chance of one collision is below 10^-18.
 */
export function deriveId(label: string, scope: Scope): string {
  return scope instanceof RememberingScope ? scope.id(label) : makeId(label, scope);
}

function makeHash({ tenant, operation, key }: Scope): Uint8Array {
  return digest("payonce.scope.v1", tenant, operation, key);
}

function makeId(label: string, { tenant, operation, key }: Scope): string {
  const hash = digest(`payonce.id.${label}.v1`, tenant, operation, key);
  return `${label}_${Buffer.from(hash.subarray(0, 20)).toString("hex")}`;
}
