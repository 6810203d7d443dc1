import { describe, expect, it } from "vitest";
import { ClaimLost } from "../../../src/idempotency/answers/errors.js";
import type { Execution, Ownership } from "../../../src/idempotency/execution/call.js";
import { completeWithin, ownWithin } from "../../../src/idempotency/execution/ownership.js";
import { type Outcome, okOutcome } from "../../../src/idempotency/port/outcome.js";
import type { Completion } from "../../../src/idempotency/port/store.js";

const TRANSACTION = "a transaction";
const RETENTION_MS = 60_000;

/** A store whose owners are those whose keys are named. */
function storeOwnedBy(...owners: readonly string[]) {
  const written: Completion[] = [];
  const store: Ownership<string>["store"] = {
    async ownWithin(transaction, claims) {
      expect(transaction).toBe(TRANSACTION);
      return claims.map(({ scope }) => owners.includes(scope.key));
    },
    async completeWithin(transaction, completions) {
      expect(transaction).toBe(TRANSACTION);
      written.push(...completions);
      return completions.map(({ claim }) => owners.includes(claim.scope.key));
    },
  };
  return { store, written };
}

/** An execution, and what it was told to be written. */
function executionOf(key: string, store: Ownership<string>["store"]) {
  const scope = { tenant: "acme", operation: "acme.v1.Orders/PlaceOrder", key };
  const fingerprint = { version: 1, canonical: new Uint8Array(32), raw: new Uint8Array(32) };
  const told: Outcome[] = [];
  const execution: Execution<string> = {
    scope,
    fingerprint,
    fencingToken: 1n,
    attempt: 1,
    signal: new AbortController().signal,
    elsewhere: (work) => work(),
    throwIfAborted() {},
    ownership: {
      store,
      claim: { scope, claimId: key, fingerprint, fencingToken: 1n, attempt: 1 },
      retentionMs: RETENTION_MS,
      onWritten: (outcome) => told.push(outcome),
    },
    async assertOwner() {},
    async completeWithin() {},
  };
  return { execution, told };
}

describe("many executions in one transaction", () => {
  it("are held in one statement, and told by position whether they are still owners", async () => {
    const { store } = storeOwnedBy("first", "third");
    const executions = ["first", "second", "third"].map((key) => executionOf(key, store).execution);
    expect(await ownWithin(TRANSACTION, executions)).toEqual([true, false, true]);
  });

  it("store their answers in one statement, and each is told of its own", async () => {
    const { store, written } = storeOwnedBy("first", "second");
    const both = ["first", "second"].map((key) => ({ key, ...executionOf(key, store) }));
    const answers = both.map(({ key, execution }) => ({ execution, body: Buffer.from(key) }));
    await completeWithin(TRANSACTION, answers);
    expect(written.map(({ outcome, retentionMs }) => [outcome, retentionMs])).toEqual(
      both.map(({ key }) => [okOutcome(Buffer.from(key)), RETENTION_MS]),
    );
    for (const { key, told } of both) {
      expect(told).toEqual([okOutcome(Buffer.from(key))]);
    }
  });

  it("are told of nothing where one has lost its claim: nothing may be committed", async () => {
    const { store } = storeOwnedBy("first");
    const both = ["first", "second"].map((key) => executionOf(key, store));
    const answers = both.map(({ execution }) => ({ execution, body: new Uint8Array() }));
    await expect(completeWithin(TRANSACTION, answers)).rejects.toThrow(ClaimLost);
    expect(both.flatMap(({ told }) => told)).toEqual([]);
  });

  it("write nothing where none has an answer", async () => {
    await completeWithin(TRANSACTION, []);
  });

  it("must be at least one, and of one store", async () => {
    const executions = [storeOwnedBy("key"), storeOwnedBy("key")].map(
      ({ store }) => executionOf("key", store).execution,
    );
    const problem = "the executions of one transaction must have one store";
    await expect(ownWithin(TRANSACTION, executions)).rejects.toThrow(problem);
    await expect(ownWithin(TRANSACTION, [])).rejects.toThrow(problem);
  });
});
