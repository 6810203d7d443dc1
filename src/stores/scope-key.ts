import type { Scope } from "../idempotency/port/scope.js";

/** The scope as the key of a Map. The lengths keep different scopes apart. */
export function scopeKey({ tenant, operation, key }: Scope): string {
  return `${tenant.length}:${tenant}${operation.length}:${operation}${key}`;
}
