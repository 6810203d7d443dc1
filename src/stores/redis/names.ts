import type { Fingerprint } from "../../idempotency/fingerprint.js";
import { type Scope, scopeHash } from "../../idempotency/scope.js";

/** What the gate's entries are called in Redis. */
export interface Names {
  /** The scope's hash, made once for one scope object. */
  hashOf(scope: Scope): Uint8Array;
  lockOf(scope: Scope): string;
  copyOf(scope: Scope): string;
}

export function createNames(namespace: () => string): Names {
  // A claim and its completion carry the same scope object.
  const known = new WeakMap<Scope, { readonly hash: Uint8Array; readonly hex: string }>();

  function identityOf(scope: Scope) {
    const found = known.get(scope);
    if (found !== undefined) {
      return found;
    }
    const hash = scopeHash(scope);
    const identity = { hash, hex: textOf(hash, "hex") };
    known.set(scope, identity);
    return identity;
  }

  return {
    hashOf: (scope) => identityOf(scope).hash,
    lockOf: (scope) => `${namespace()}:lock:${identityOf(scope).hex}`,
    copyOf: (scope) => `${namespace()}:copy:${identityOf(scope).hex}`,
  };
}

/** A request as the value of a lock names it: duplicates of one build have it in common. */
export function requestName({ version, canonical }: Fingerprint): string {
  return `${version}.${textOf(canonical, "base64url")}`;
}

function textOf({ buffer, byteOffset, byteLength }: Uint8Array, encoding: BufferEncoding): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString(encoding);
}
