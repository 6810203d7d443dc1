import { createHash } from "node:crypto";

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

/** SHA-256 of the scope: its identity in every store. */
export function scopeHash(scope: Scope): Uint8Array {
  return hashParts("payonce.scope.v1", scope);
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
  const digest = hashParts(`payonce.id.${label}.v1`, scope);
  return `${label}_${Buffer.from(digest.subarray(0, 20)).toString("hex")}`;
}

// Each part follows its length, so that no two scopes hash the same bytes.
function hashParts(domain: string, { tenant, operation, key }: Scope): Uint8Array {
  const hash = createHash("sha256");
  for (const part of [domain, tenant, operation, key]) {
    const bytes = Buffer.from(part, "utf8");
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    hash.update(length).update(bytes);
  }
  return hash.digest();
}
