import { createHash } from "node:crypto";
import type { IdempotencyStore } from "../../../src/idempotency/port/store.js";
import type { Fingerprint } from "../../../src/idempotency/request/fingerprint.js";

/** A store as a build with another canonical form uses it. */
export function withNewerForm<Transaction>(
  store: IdempotencyStore<Transaction>,
): IdempotencyStore<Transaction> {
  return {
    ...store,
    claim: (request) =>
      store.claim({ ...request, fingerprint: newerFingerprint(request.fingerprint) }),
  };
}

function newerFingerprint({ version, canonical, raw }: Fingerprint): Fingerprint {
  const other = createHash("sha256").update("newer").update(canonical).digest();
  return { version: version + 1, canonical: other, raw };
}
