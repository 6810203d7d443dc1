import type { Fingerprint } from "../../idempotency/fingerprint.js";
import { type Scope, scopeHash } from "../../idempotency/scope.js";

/** What the gate's entries are called in Redis. */
export interface Names {
  lockOf(scope: Scope): string;
  copyOf(scope: Scope): string;
}

export function createNames(namespace: () => string): Names {
  const nameOf = (kind: "lock" | "copy", scope: Scope) =>
    `${namespace()}:${kind}:${textOf(scopeHash(scope), "hex")}`;
  return {
    lockOf: (scope) => nameOf("lock", scope),
    copyOf: (scope) => nameOf("copy", scope),
  };
}

/** A request as the value of a lock names it: duplicates of one build have it in common. */
export function requestName({ version, canonical }: Fingerprint): string {
  return `${version}.${textOf(canonical, "base64url")}`;
}

function textOf({ buffer, byteOffset, byteLength }: Uint8Array, encoding: BufferEncoding): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString(encoding);
}
