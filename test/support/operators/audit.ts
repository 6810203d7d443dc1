import { Client, credentials } from "@grpc/grpc-js";
import { expect } from "vitest";
import { type AuditReport, audit } from "../../../src/audit/audit.js";
import type { ClientCall } from "../../../src/audit/client-call.js";
import { collectFacts } from "../../../src/audit/collect-facts.js";
import { readDatabase } from "../../../src/audit/read-database.js";
import { readJournal } from "../../../src/audit/read-journal.js";
import { MAX_ATTEMPTS } from "../../../src/idempotency/execution/running.js";
import { openDatabase } from "../../../src/stores/postgres/index.js";

export interface AuditedServers {
  readonly database: { readonly url: string };
  readonly sandbox: { readonly address: string };
}

export interface AuditOptions {
  /** What the clients of the test saw, so that all invariants are decided. */
  readonly calls?: readonly ClientCall[];
  /** Default 0: nothing is under way any more. Milliseconds. */
  readonly boundMs?: number;
  /** Default 24 h, as that of the service. Milliseconds. */
  readonly keyWindowMs?: number;
}

const KEY_WINDOW_MS = 86_400_000;

/** Expects that the servers violate no invariant. */
export async function expectAudit(
  servers: AuditedServers,
  options: AuditOptions = {},
): Promise<void> {
  expect(violationsIn(await auditServers(servers, options))).toEqual([]);
}

export async function auditServers(
  { database, sandbox }: AuditedServers,
  { boundMs = 0, keyWindowMs = KEY_WINDOW_MS, ...calls }: AuditOptions = {},
): Promise<AuditReport> {
  const pool = openDatabase(database.url, () => {});
  const processor = new Client(sandbox.address, credentials.createInsecure());
  try {
    const facts = await collectFacts({
      readDatabase: () => readDatabase(pool),
      readEffects: async (after) => (await readJournal(processor, after)).effects,
      boundMs,
      keyWindowMs,
      maxAttempts: MAX_ATTEMPTS,
      ...calls,
    });
    return audit(facts);
  } finally {
    processor.close();
    await pool.end();
  }
}

/** Each violation as a line that begins with its invariant. */
export function violationsIn({ results }: AuditReport): readonly string[] {
  return results.flatMap(({ id, violations }) =>
    violations.map(({ subject, problem }) => `${id}: ${subject} ${problem}`),
  );
}
