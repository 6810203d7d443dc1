import { describe, expect, it } from "vitest";
import { audit } from "../../../src/audit/audit.js";
import type { Facts } from "../../../src/audit/facts.js";
import { requestFingerprint } from "../../../src/audit/payment-methods.js";
import { Code } from "../../../src/idempotency/answers/code.js";
import { change, isFirst, isKey, ofOlderBuild, violatedBy } from "./change.js";
import { cleanFacts, scopeOf } from "./story.js";

const HOUR_MS = 3_600_000;

describe("facts in which all is as it must be", () => {
  it("pass, and every check has something to look at", () => {
    const { results, parked } = audit(cleanFacts());
    expect(results.filter(({ violations }) => violations.length > 0)).toEqual([]);
    expect(results.filter(({ checked = 0 }) => checked === 0)).toEqual([]);
    const ids = Array.from({ length: 15 }, (_, index) => `I${index + 1}`);
    expect([...new Set(results.map(({ id }) => id))]).toEqual(ids);
    expect(parked).toEqual([]);
  });

  it("leave undecided, without the calls of clients, what only they can tell", () => {
    const { calls: _, ...facts } = cleanFacts();
    const undecided = audit(facts).results.filter(({ checked }) => checked === undefined);
    expect(undecided.map(({ id }) => id)).toEqual(["I8", "I10", "I12"]);
  });

  it("may hold an effect without a row that is younger than the bound, or than the database's snapshot", () => {
    const facts = cleanFacts();
    const sequence = facts.settledSequence + 1n;
    const effects = facts.effects.flatMap((effect) =>
      effect.sequence === 1n
        ? [effect, { ...effect, sequence, processorKey: "pk_begun_meanwhile" }]
        : [effect],
    );
    expect(violatedBy({ ...facts, effects })).toEqual([]);
    const settled = { ...facts, effects, settledSequence: sequence };
    expect(violatedBy(settled)).toEqual(["I6"]);
    expect(violatedBy({ ...settled, boundMs: HOUR_MS + 1 })).toEqual([]);
  });

  it("may hold parked keys, which are listed with their reasons", () => {
    const facts = cleanFacts();
    const records: Facts["records"] = change(facts.records, isKey("waiting"), (record) => ({
      ...record,
      state: "held",
      unknownReason: "the processor may have forgotten its key",
    }));
    expect(violatedBy({ ...facts, records })).toEqual([]);
    expect(audit({ ...facts, records }).parked).toEqual([
      {
        subject: expect.stringContaining('key "waiting" of acme'),
        reason: "the processor may have forgotten its key",
      },
    ]);
  });

  it("may hold a lost claim that nobody may repeat: it is parked by itself", () => {
    const facts = cleanFacts();
    const records: Facts["records"] = change(facts.records, isKey("waiting"), (record) => ({
      ...record,
      onLostOwner: "hold",
      leaseUntil: new Date(0),
    }));
    expect(violatedBy({ ...facts, records })).toEqual([]);
    expect(audit({ ...facts, records }).parked).toHaveLength(1);
  });

  it("may hold an answer that has passed its retention", () => {
    const facts = cleanFacts();
    const records: Facts["records"] = change(
      facts.records,
      isKey("sale"),
      ({ scope: _, outcome: __, ...record }) => ({
        ...record,
        state: "expired",
      }),
    );
    expect(violatedBy({ ...facts, records })).toEqual([]);
  });

  it("may hold what began past the processor's window, in an operator's hands or an owner's", () => {
    const facts = cleanFacts();
    const operations = facts.operations.map((operation) => ({
      ...operation,
      beginTime: new Date(facts.now.getTime() - 2 * facts.keyWindowMs),
    }));
    const records: Facts["records"] = change(facts.records, isKey("waiting"), (record) => ({
      ...record,
      state: "held",
      unknownReason: "the processor may have forgotten its key",
    }));
    expect(violatedBy({ ...facts, operations })).toEqual([]);
    expect(violatedBy({ ...facts, operations, records })).toEqual([]);
  });

  it("may hold operations whose request older builds did not store, or saw in another form", () => {
    const facts = cleanFacts();
    const older = ofOlderBuild(facts.operations, () => true);
    expect(violatedBy({ ...facts, operations: older })).toEqual([]);
    const otherwise = facts.operations.map(({ fingerprint, ...operation }) => ({
      ...operation,
      ...(fingerprint && {
        fingerprint: { ...fingerprint, version: 2, canonical: new Uint8Array(32) },
      }),
    }));
    expect(violatedBy({ ...facts, operations: otherwise })).toEqual([]);
  });

  it("may hold what was not executed while its key is claimed again, also for another request", () => {
    const facts = cleanFacts();
    const request = new Uint8Array([0x1a, 0x01, 0x61]); // a payment method
    const { operation } = scopeOf("create", "given-up");
    const fingerprint = requestFingerprint("create", operation, request);
    const records: Facts["records"] = change(facts.records, isKey("given-up"), (record) => ({
      ...record,
      state: "executing",
      leaseUntil: facts.now,
      request,
      fingerprint: fingerprint ?? record.fingerprint,
    }));
    expect(violatedBy({ ...facts, records })).toEqual([]);
  });

  it("may hold calls that came before the payment that they are on", () => {
    const facts = cleanFacts();
    const calls = change(facts.calls, isFirst("part"), (call) => ({
      ...call,
      code: Code.NOT_FOUND,
      reason: "PAYMENT_NOT_FOUND",
      body: new Uint8Array(),
    }));
    expect(violatedBy({ ...facts, calls })).toEqual([]);
  });

  it("may hold, for as long as the bound, calls that met the lock of an owner that died", () => {
    const facts = cleanFacts();
    const late = (delayMs: number) => ({
      ...facts,
      calls: change(facts.calls, isKey("sale"), (call) =>
        call.isReplayed
          ? {
              ...call,
              code: Code.ABORTED,
              reason: "REQUEST_IN_PROGRESS",
              startMs: call.startMs + delayMs,
            }
          : call,
      ),
    });
    expect(violatedBy(late(0))).toEqual([]);
    expect(violatedBy(late(facts.boundMs))).toEqual(["I12"]);
  });
});
