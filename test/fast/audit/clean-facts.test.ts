import { describe, expect, it } from "vitest";
import { audit } from "../../../src/audit/audit.js";
import type { Facts } from "../../../src/audit/facts.js";
import { Code } from "../../../src/idempotency/code.js";
import { change, isKey, violatedBy } from "./change.js";
import { cleanFacts } from "./story.js";

const HOUR_MS = 3_600_000;

describe("facts in which all is as it must be", () => {
  it("pass, and every check has something to look at", () => {
    const { results, parked } = audit(cleanFacts());
    expect(results.filter(({ violations }) => violations.length > 0)).toEqual([]);
    expect(results.filter(({ checked = 0 }) => checked === 0)).toEqual([]);
    const ids = Array.from({ length: 15 }, (_, index) => `I${index + 1}`);
    expect(results.map(({ id }) => id)).toEqual(ids);
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
