import { expect, it } from "vitest";
import { audit } from "../../../src/audit/audit.js";
import type { InvariantId } from "../../../src/audit/check.js";
import type { Facts } from "../../../src/audit/facts.js";
import { paymentIdOf } from "../../../src/payments/operation.js";
import { change, type Damage, isKey, isOperation, isReplay, remove } from "./change.js";
import { changedEvent, cleanFacts, scopeOf } from "./story.js";

const saleId = paymentIdOf(scopeOf("create", "sale"));
const isSale = ({ id }: { readonly id: string }) => id === saleId;
const isHold = ({ id }: { readonly id: string }) => id === paymentIdOf(scopeOf("create", "hold"));

const operationChange =
  (replacement: Partial<Facts["operations"][number]>): Damage =>
  ({ operations }) => ({
    operations: change(operations, isOperation("create", "sale"), (operation) => ({
      ...operation,
      ...replacement,
    })),
  });

const withoutOperation: Damage = ({ operations }) => ({
  operations: remove(operations, isOperation("create", "sale")),
});

const paymentChange =
  (
    isWanted: (payment: { readonly id: string }) => boolean,
    replacement: Partial<Facts["payments"][number]>,
  ): Damage =>
  ({ payments }) => ({
    payments: change(payments, isWanted, (payment) => ({ ...payment, ...replacement })),
  });

/** Damage that several invariants speak of: each in its own words. */
const damages: readonly (readonly [string, Damage, InvariantId, string])[] = [
  [
    "an operation is gone",
    withoutOperation,
    "I1",
    "is answered with OK, and its operation does not exist",
  ],
  ["an operation is gone", withoutOperation, "I2", "was created by 0 operations"],
  [
    "an operation is gone",
    withoutOperation,
    "I4",
    "was booked without an approved operation on a payment",
  ],
  [
    "an operation forgot its end",
    operationChange({ state: "pending" }),
    "I1",
    "is answered with OK, and its operation is pending",
  ],
  [
    "an operation forgot its end",
    operationChange({ state: "pending" }),
    "I11",
    "is pending since 2026-01-01T11:00:00.000Z, and no key finds it out",
  ],
  [
    "an operation changed its end",
    operationChange({ state: "declined" }),
    "I1",
    "is declined, and the journal",
  ],
  ["an operation changed its kind", operationChange({ kind: "capture" }), "I2", "is a capture"],
  [
    "an operation changed its payment",
    operationChange({ paymentId: "pay_other" }),
    "I2",
    "has another payment id than its operation",
  ],
  [
    "an operation changed its currency",
    operationChange({ currencyCode: "USD" }),
    "I1",
    "asked for something else",
  ],
  [
    "a payment captured more than it authorized",
    paymentChange(isSale, { captured: 1_001n }),
    "I3",
    "captured 1001 and capturing 0 of 1000",
  ],
  [
    "a payment captured more than it authorized",
    paymentChange(isSale, { captured: 1_001n }),
    "I4",
    "says captured 1001 and refunded 300, its entries 1000 and 300",
  ],
  [
    "a payment captured more than it authorized",
    paymentChange(isSale, { captured: 1_001n }),
    "I9",
    "its newest event says",
  ],
  [
    "a payment refunds more than it captured",
    paymentChange(isSale, { refunding: 701n }),
    "I3",
    "refunded 300 and refunding 701 of 1000",
  ],
  [
    "a payment reserves for no refund",
    paymentChange(isSale, { refunding: 1n }),
    "I3",
    "reserves 1 for refunds in flight of 0",
  ],
  [
    "a payment waits for no cancel",
    paymentChange(isHold, { canceling: true }),
    "I3",
    "waits for a cancel that is not in flight",
  ],
  [
    "a payment is unknown without cause",
    paymentChange(isSale, { status: "UNKNOWN" }),
    "I11",
    "is UNKNOWN, and nothing is in flight that creates it",
  ],
  [
    "a payment is gone",
    ({ payments }) => ({ payments: remove(payments, isSale) }),
    "I13",
    `tells of payment ${saleId}, which does not exist`,
  ],
  [
    "an event holds another payment",
    ({ events }) => ({
      events: change(
        events,
        ({ paymentId, version }) => paymentId === saleId && version === 2n,
        (event) => changedEvent(event, { id: "pay_other" }),
      ),
    }),
    "I13",
    `does not hold version 2 of payment ${saleId}`,
  ],
  [
    "the event of an answer is gone",
    ({ events }) => ({
      events: remove(events, ({ paymentId, version }) => paymentId === saleId && version === 2n),
    }),
    "I5",
    "has a stored OK of version 2, of which there is no event",
  ],
  [
    "captured money went back without a refund",
    ({ events }) => ({
      events: change(
        events,
        ({ paymentId, version }) => paymentId === saleId && version === 3n,
        (event) => changedEvent(event, { captured: undefined }),
      ),
    }),
    "I9",
    "went from CAPTURED with 1000 authorized, 1000 captured, 0 refunded to CAPTURED with 1000 authorized, 0 captured",
  ],
  [
    "a sequence stands behind its table",
    ({ sequences }) => ({ sequences: sequences.map((state) => ({ ...state, highest: 10n })) }),
    "I13",
    "stands at 9, behind 10 in payment_events",
  ],
  [
    "a payment has two tenants",
    ({ payments }) => ({
      payments: change(payments, isSale, (payment) => [payment, { ...payment, tenant: "globex" }]),
    }),
    "I14",
    "belongs to acme and globex",
  ],
  [
    "a stored answer tells of another tenant's payment",
    paymentChange(isSale, { tenant: "globex" }),
    "I14",
    `is answered with payment ${saleId} of another tenant`,
  ],
  [
    "an answer came anew after it had been replayed",
    ({ calls }) => ({
      calls: change(calls, isKey("sale"), (call) => ({
        ...call,
        isReplayed: !call.isReplayed,
      })),
    }),
    "I12",
    "was executed 400 ms after it had been answered",
  ],
  [
    "a client was answered, and the record knows no answer",
    ({ calls }) => ({
      calls: change(calls, isReplay("sale"), (call) => ({
        ...call,
        scope: scopeOf("create", "waiting"),
      })),
    }),
    "I5",
    "was answered with OK, and its record is executing without one",
  ],
];

it.each(damages)("where %s, the audit says so", (_what, damage, id, problem) => {
  const facts = cleanFacts();
  const { results } = audit({ ...facts, ...damage(facts) });
  const problems = results
    .filter((result) => result.id === id)
    .flatMap(({ violations }) => violations.map((violation) => violation.problem));
  expect(problems).toContainEqual(expect.stringContaining(problem));
});
