import { createHash } from "node:crypto";
import { type Caller, type Role, roles } from "../idempotency/execution/call.js";

/** The callers of bearer tokens, by the SHA-256 of the token in lower-case hex. */
export type Tokens = ReadonlyMap<string, Caller>;

/** A tokens file that is wrong. Stops the start. */
export class TokensError extends Error {
  override readonly name = "TokensError";

  /** @param problems one line each, naming the entry and what it accepts. */
  constructor(readonly problems: readonly string[]) {
    super(problems.join("\n"));
  }
}

const TENANT = /^[a-z0-9_-]{1,64}$/;
const SHA256 = /^[0-9a-f]{64}$/i;

/** Continues "accepts ...". */
export const TENANT_ACCEPTS = "1 to 64 characters of a-z, 0-9, - and _";

export function isTenant(text: unknown): text is string {
  return typeof text === "string" && TENANT.test(text);
}

/** Hashes a token; it is looked up by its hash. */
export function tokenHash(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

/**
 * Reads the text of a tokens file: a JSON array of
 * `{ "sha256": "...", "tenant": "...", "role": "..." }`, with one of `roles`. It
 * holds hashes, so reading it gives nobody a token. A tenant may have several.
 * @throws TokensError that names every entry that is wrong.
 */
export function parseTokens(text: string): Tokens {
  const entries = parseArray(text).map(parseEntry);
  const tokens = new Map<string, Caller>();
  const problems: string[] = [];
  for (const [index, entry] of entries.entries()) {
    if (typeof entry === "string") {
      problems.push(`entry ${index}: ${entry}`);
    } else if (tokens.has(entry.hash)) {
      problems.push(`entry ${index}: "sha256" accepts no hash that an earlier entry has`);
    } else {
      tokens.set(entry.hash, entry.caller);
    }
  }
  if (problems.length > 0) {
    throw new TokensError(problems);
  }
  return tokens;
}

// An empty list would let nobody call, which nobody means.
function parseArray(text: string): readonly unknown[] {
  const value = parseJson(text);
  if (!Array.isArray(value) || value.length === 0) {
    throw new TokensError(["the tokens file accepts a JSON array of at least one entry"]);
  }
  return value;
}

/** Returns the value of a JSON text; undefined where it is none: the parser's own message would repeat a part of it. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

interface Entry {
  readonly hash: string;
  readonly caller: Caller;
}

/** The entry, or what is wrong with it. */
function parseEntry(entry: unknown): Entry | string {
  if (!isObject(entry)) {
    return "accepts an object with sha256, tenant and role";
  }
  const { sha256, tenant, role, ...others } = entry;
  if (typeof sha256 !== "string" || !SHA256.test(sha256)) {
    return '"sha256" accepts the SHA-256 of a token, 64 hex digits';
  }
  if (!isTenant(tenant)) {
    return `"tenant" accepts ${TENANT_ACCEPTS}`;
  }
  if (!isRole(role)) {
    return '"role" accepts "caller", "operator" or "global_operator"';
  }
  if (Object.keys(others).length > 0) {
    return "accepts no more than sha256, tenant and role";
  }
  return { hash: sha256.toLowerCase(), caller: { tenant, role } };
}

export function isRole(value: unknown): value is Role {
  return roles.some((role) => role === value);
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
