import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { audit } from "../../../src/audit/audit.js";
import type { InvariantId } from "../../../src/audit/check.js";
import { checks } from "../../../src/audit/checks.js";
import type { AuditedEvent } from "../../../src/audit/facts.js";
import { MoneySchema, PaymentStatus } from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import { Code } from "../../../src/idempotency/answers/code.js";
import { okOutcome } from "../../../src/idempotency/port/outcome.js";
import { paymentIdOf } from "../../../src/payments/operation.js";
import { brokenStates } from "./broken-states.js";
import {
  change,
  type Damage,
  failedBy,
  isFirst,
  isKey,
  isOperation,
  isReplay,
  ofOlderBuild,
  remove,
  violatedBy,
} from "./change.js";
import { changedEvent, cleanFacts, scopeOf } from "./story.js";

const paymentId = (key: string) => paymentIdOf(scopeOf("create", key));
const eur = (minorUnits: bigint) => create(MoneySchema, { currencyCode: "EUR", minorUnits });
const isPayment = (key: string) => (payment: { readonly id: string }) =>
  payment.id === paymentId(key);
const isEvent = (key: string, version: bigint) => (event: AuditedEvent) =>
  event.paymentId === paymentId(key) && event.version === version;
const isEffect = (sequence: bigint) => (effect: { readonly sequence: bigint }) =>
  effect.sequence === sequence;

/** Each violates one invariant and no other. */
const damages: readonly (readonly [InvariantId, string, Damage])[] = [
  [
    "I1",
    "an approved operation has no effect",
    ({ effects }) => ({ effects: remove(effects, isEffect(1n)) }),
  ],
  [
    "I1",
    "an operation has two effects",
    ({ effects }) => ({
      effects: change(effects, isEffect(1n), (effect) => [effect, { ...effect, sequence: 99n }]),
    }),
  ],
  [
    "I1",
    "the processor did it for another payment",
    ({ effects }) => ({
      effects: change(effects, isEffect(1n), (effect) => ({ ...effect, paymentId: "pay_other" })),
    }),
  ],
  [
    "I1",
    "the processor did something else",
    ({ effects }) => {
      const other = effects.find(isEffect(2n));
      return {
        effects: change(effects, isEffect(1n), (effect) => ({
          ...effect,
          type: other?.type ?? effect.type,
        })),
      };
    },
  ],
  [
    "I1",
    "a declined operation has an effect",
    ({ effects, operations }) => {
      const declined = operations.find(isOperation("create", "refused"));
      return {
        effects: change(effects, isEffect(1n), (effect) => [
          effect,
          {
            ...effect,
            sequence: 99n,
            processorKey: declined?.processorKey ?? "",
            paymentId: paymentId("refused"),
          },
        ]),
      };
    },
  ],
  [
    "I2",
    "an operation used another processor key than its own",
    ({ operations, effects }) => ({
      operations: change(operations, isOperation("create", "sale"), (operation) => ({
        ...operation,
        processorKey: "pk_other",
      })),
      effects: change(effects, isEffect(1n), (effect) => ({ ...effect, processorKey: "pk_other" })),
    }),
  ],
  [
    "I2",
    "two operations share a processor key",
    ({ operations }) => {
      const shared = operations.find(isOperation("create", "refused"))?.processorKey ?? "";
      return {
        operations: change(operations, isOperation("capture", "too-late"), (operation) => ({
          ...operation,
          processorKey: shared,
        })),
      };
    },
  ],
  [
    "I3",
    "a payment reserves what no operation in flight asks for",
    ({ payments }) => ({
      payments: change(payments, isPayment("hold"), (payment) => ({ ...payment, capturing: 1n })),
    }),
  ],
  [
    "I3",
    "an event tells of amounts that cannot be",
    ({ events }) => ({
      events: change(events, isEvent("refused", 1n), (event) =>
        changedEvent(event, { amount: eur(-1n) }),
      ),
    }),
  ],
  [
    "I4",
    "a transaction does not sum to zero",
    ({ entries }) => ({
      entries: change(
        entries,
        ({ id }) => id === 2n,
        (entry) => ({ ...entry, minorUnits: entry.minorUnits - 1n }),
      ),
    }),
  ],
  [
    "I4",
    "a transaction sums to zero over two currencies only",
    ({ entries }) => ({
      entries: change(
        entries,
        ({ id }) => id === 2n,
        (entry) => ({ ...entry, currencyCode: "USD" }),
      ),
    }),
  ],
  [
    "I4",
    "the entries of a capture are gone",
    ({ entries, operations }) => {
      const capture = operations.find(isOperation("capture", "part"));
      return { entries: remove(entries, ({ transactionId }) => transactionId === capture?.id) };
    },
  ],
  [
    "I4",
    "an operation that moves no money has booked some",
    ({ entries, operations }) => {
      const cancel = operations.find(isOperation("cancel", "cancel"));
      return {
        entries: change(
          entries,
          ({ id }) => id === 2n,
          (entry) => [
            entry,
            ...[5n, -5n].map((minorUnits) => ({
              ...entry,
              transactionId: cancel?.id ?? "",
              minorUnits,
            })),
          ],
        ),
      };
    },
  ],
  [
    "I5",
    "a client saw an OK whose record is gone",
    ({ records, operations }) => ({
      records: remove(records, isKey("sale")),
      operations: ofOlderBuild(operations, isOperation("create", "sale")),
    }),
  ],
  [
    "I5",
    "a client saw other bytes than are stored",
    ({ calls }) => ({
      calls: remove(
        change(calls, isFirst("sale"), (call) => ({ ...call, body: new Uint8Array(3) })),
        isReplay("sale"),
      ),
    }),
  ],
  [
    "I5",
    "a stored OK tells of another state than was stored with it",
    ({ events, calls }) => ({
      events: change(events, isEvent("sale", 2n), (event) =>
        changedEvent(event, { description: "another" }),
      ),
      calls: remove(calls, isKey("sale")),
    }),
  ],
  [
    "I5",
    "a stored OK cannot be read",
    ({ records, calls }) => ({
      records: change(records, isKey("sale"), ({ outcome: _, ...record }) => record),
      calls: remove(calls, isKey("sale")),
    }),
  ],
  [
    "I5",
    "a stored OK tells of no payment",
    ({ records, calls }) => ({
      records: change(records, isKey("sale"), (record) => ({
        ...record,
        outcome: okOutcome(new Uint8Array()),
      })),
      calls: remove(calls, isKey("sale")),
    }),
  ],
  [
    "I5",
    "an approved operation has no stored answer",
    ({ records, calls, now }) => ({
      records: change(records, isKey("sale"), ({ outcome: _, ...record }) => ({
        ...record,
        state: "executing",
        leaseUntil: now,
      })),
      calls: remove(calls, isKey("sale")),
    }),
  ],
  [
    "I6",
    "the processor has an effect that nobody here knows of",
    ({ effects }) => ({
      effects: change(effects, isEffect(1n), (effect) => [
        effect,
        { ...effect, processorKey: "pk_made_up" },
      ]),
    }),
  ],
  [
    "I7",
    "a claim was taken over with another request",
    ({ records }) => ({
      records: change(records, isKey("waiting"), (record) => ({
        ...record,
        request: new Uint8Array([0x1a, 0x01, 0x61]), // a payment method
      })),
    }),
  ],
  [
    "I7",
    "a key was answered for two requests",
    ({ calls }) => ({
      calls: change(calls, isReplay("sale"), (call) => ({ ...call, request: "another" })),
    }),
  ],
  [
    "I8",
    "a replay lacks a header of the first answer",
    ({ calls }) => ({
      calls: change(calls, isFirst("sale"), (call) => ({ ...call, headers: [["x", "1"]] })),
    }),
  ],
  [
    "I9",
    "a payment took a way that there is not",
    ({ events }) => ({
      events: change(events, isEvent("hold", 2n), (event) =>
        changedEvent(event, { status: PaymentStatus.CANCELED }),
      ),
    }),
  ],
  [
    "I9",
    "a payment did not begin at the beginning",
    ({ events }) => ({
      events: change(events, isEvent("waiting", 1n), (event) =>
        changedEvent(event, { status: PaymentStatus.UNSPECIFIED }),
      ),
    }),
  ],
  [
    "I9",
    "a payment is not what its newest event says",
    ({ payments }) => ({
      payments: change(payments, isPayment("dropped"), (payment) => ({
        ...payment,
        status: "AUTHORIZED",
      })),
    }),
  ],
  [
    "I10",
    "a replay differs from what is stored",
    ({ calls }) => ({
      calls: remove(
        change(calls, isReplay("too-late"), (call) => ({ ...call, trailers: [] })),
        isFirst("too-late"),
      ),
    }),
  ],
  [
    "I11",
    "an operation is unknown, and its key is gone",
    ({ records, operations }) => ({
      records: remove(records, isKey("waiting")),
      operations: ofOlderBuild(operations, isOperation("create", "waiting")),
    }),
  ],
  [
    "I12",
    "a key was executed twice",
    ({ calls }) => ({
      calls: change(calls, isReplay("sale"), (call) => ({ ...call, isReplayed: false })),
    }),
  ],
  [
    "I12",
    "a key was refused as another request's, with its own request",
    ({ calls }) => ({
      calls: change(calls, isReplay("sale"), (call) => ({
        ...call,
        code: Code.FAILED_PRECONDITION,
        reason: "IDEMPOTENCY_KEY_REUSED",
      })),
    }),
  ],
  [
    "I12",
    "a key was refused as not executed after it had been answered",
    ({ calls }) => ({
      calls: change(calls, isReplay("sale"), (call) => ({
        ...call,
        code: Code.INVALID_ARGUMENT,
        reason: "FIELD_INVALID",
      })),
    }),
  ],
  [
    "I13",
    "a sequence stands behind its table",
    ({ sequences }) => ({ sequences: sequences.map((state) => ({ ...state, last: 1n })) }),
  ],
  ["I13", "an event is missing", ({ events }) => ({ events: remove(events, isEvent("sale", 1n)) })],
  [
    "I13",
    "a version has two events",
    ({ events }) => ({
      events: change(events, isEvent("sale", 1n), (event) => [event, { ...event, id: 99n }]),
    }),
  ],
  [
    "I13",
    "the ids of two events are in another order than their versions",
    ({ events }) => ({
      events: change(events, isEvent("sale", 1n), (event) => ({ ...event, id: 99n })),
    }),
  ],
  [
    "I13",
    "an event holds no payment",
    ({ events }) => ({
      events: change(events, isEvent("sale", 1n), (event) => ({ ...event, payment: undefined })),
    }),
  ],
  [
    "I14",
    "a record stands under the hash of another tenant's key",
    ({ records, operations }) => ({
      records: change(records, isKey("too-late"), (record) => ({
        ...record,
        tenant: "globex",
        scope: { ...scopeOf("capture", "too-late"), tenant: "globex" },
      })),
      operations: ofOlderBuild(operations, isOperation("capture", "too-late")),
    }),
  ],
  [
    "I15",
    "a claim lost its owner, and nobody has taken over",
    ({ records }) => ({
      records: change(records, isKey("waiting"), (record) => ({
        ...record,
        leaseUntil: new Date(0),
      })),
    }),
  ],
  [
    "I15",
    "a key is held without a reason",
    ({ records }) => ({
      records: change(records, isKey("waiting"), (record) => ({ ...record, state: "held" })),
    }),
  ],
];

describe("the audit", () => {
  it.each(damages)("finds %s and nothing else where %s", (id, _what, damage) => {
    const facts = cleanFacts();
    expect(violatedBy({ ...facts, ...damage(facts) })).toEqual([id]);
  });

  it.each(brokenStates.map(([{ title }, ...broken]) => [title, ...broken] as const))(
    "finds that it is not so that %s, and nothing else, where %s",
    (title, _what, damage) => {
      const facts = cleanFacts();
      expect(failedBy({ ...facts, ...damage(facts) })).toEqual([title]);
    },
  );

  it("has been shown a violation by every check", () => {
    const facts = cleanFacts();
    const all = [...damages, ...brokenStates].map(([, , damage]) => damage);
    const shown = new Set(all.flatMap((damage) => failedBy({ ...facts, ...damage(facts) })));
    expect(checks.map(({ title }) => title).filter((title) => !shown.has(title))).toEqual([]);
  });

  it("names what is wrong", () => {
    const facts = cleanFacts();
    const effects = remove(facts.effects, isEffect(1n));
    const [first] = audit({ ...facts, effects }).results;
    expect(first?.violations).toEqual([
      {
        subject: expect.stringMatching(/^operation op_[0-9a-f]{40} of acme$/),
        problem: "is approved, and the journal holds no effect of it",
      },
    ]);
  });
});
