import { type Scope, scopeHash } from "../../idempotency/port/scope.js";
import type { Fingerprint } from "../../idempotency/request/fingerprint.js";

/** The names of the gate's entries in Redis. */
export interface Names {
  readonly lock: string;
  readonly copy: string;
}

export function createNames(namespace: () => string): (scope: Scope) => Names {
  return (scope) => {
    const prefix = namespace();
    const hash = textOf(scopeHash(scope), "hex");
    return { lock: `${prefix}:lock:${hash}`, copy: `${prefix}:copy:${hash}` };
  };
}

/** A request as the value of a lock names it: duplicates of one build have it in common. */
export function requestName({ version, canonical }: Fingerprint): string {
  return `${version}.${textOf(canonical, "base64url")}`;
}

function textOf(bytes: Uint8Array, encoding: BufferEncoding): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString(encoding);
}
