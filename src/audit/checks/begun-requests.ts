import { type Fingerprint, sameRequest } from "../../idempotency/request/fingerprint.js";
import type { Operation } from "../../payments/operation.js";
import { recordOf } from "../begun.js";
import { type Check, checkEach, operationText } from "../check.js";
import { type IndexedFacts, nameOf } from "../index-facts.js";

/**
 * Both keep the request for good, the record also as a tombstone. A tombstone
 * has forgotten its key, so an operation without another record must have one
 * with its request. What older builds began has no request to compare.
 */
export const begunRequests: Check = {
  id: "I7",
  title: "an operation began for the request that its key's record keeps",
  needsCalls: false,
  check: (facts) => {
    const ofTombstones = new Set(
      facts.records.flatMap(({ tenant, scope, fingerprint }) =>
        scope === undefined ? requestNames(tenant, fingerprint) : [],
      ),
    );
    return checkEach(facts.operations, operationText, (operation) =>
      problemsOfOperation(facts, operation, ofTombstones),
    );
  },
};

function* problemsOfOperation(
  facts: IndexedFacts,
  operation: Operation,
  ofTombstones: ReadonlySet<string>,
): Iterable<string> {
  const { tenant, fingerprint, state } = operation;
  if (fingerprint === undefined) {
    return;
  }
  const record = recordOf(facts, operation);
  if (record !== undefined && !sameRequest(fingerprint, record.fingerprint)) {
    // The key of what was not executed may be claimed for another request, until that is refused.
    if (state !== "not_executed" || record.state !== "executing") {
      yield "began for another request than its key's record keeps";
    }
  }
  const isKept = () => requestNames(tenant, fingerprint).some((name) => ofTombstones.has(name));
  // Whoever may not begin again what was not executed gives its key free.
  if (record === undefined && state !== "not_executed" && !isKept()) {
    yield "began for a request that no record of its tenant keeps";
  }
}

/** Requests are the same if they have one of these in common. */
function requestNames(tenant: string, { version, canonical, raw }: Fingerprint): string[] {
  return [
    nameOf(tenant, "raw", Buffer.from(raw).toString("hex")),
    nameOf(tenant, String(version), Buffer.from(canonical).toString("hex")),
  ];
}
