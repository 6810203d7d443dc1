import type { Check } from "../../../src/audit/check.js";
import { begunRequests } from "../../../src/audit/checks/begun-requests.js";
import { boundedAttempts } from "../../../src/audit/checks/bounded-attempts.js";
import { knownEffects } from "../../../src/audit/checks/known-effects.js";
import { notExecuted } from "../../../src/audit/checks/not-executed.js";
import { parkedOperations } from "../../../src/audit/checks/parked-operations.js";
import { reservations } from "../../../src/audit/checks/reservations.js";
import { transitions } from "../../../src/audit/checks/transitions.js";
import { unknownOutcomes } from "../../../src/audit/checks/unknown-outcomes.js";
import type { AuditedEvent, AuditedPayment, AuditedRecord } from "../../../src/audit/facts.js";
import { PaymentStatus } from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import { Code } from "../../../src/idempotency/answers/code.js";
import { errorOutcome } from "../../../src/idempotency/answers/errors.js";
import type { Operation } from "../../../src/payments/operation.js";
import { paymentIdOf } from "../../../src/payments/operation.js";
import { NOT_EXECUTED } from "../../../src/payments/state.js";
import { change, type Damage, isKey, isOperation, ofOlderBuild, remove } from "./change.js";
import { changedEvent, type cleanFacts, scopeOf } from "./story.js";

type CleanFacts = ReturnType<typeof cleanFacts>;

const LONG_BEFORE_THE_WINDOW = new Date(0);
const OTHER_REQUEST = {
  version: 1,
  canonical: new Uint8Array(32).fill(1),
  raw: new Uint8Array(32).fill(2),
};
const REFUSAL = errorOutcome({
  code: Code.FAILED_PRECONDITION,
  reason: "PAYMENT_NOT_CAPTURABLE",
  message: "",
  next: "fix_request",
});

const paymentId = (key: string) => paymentIdOf(scopeOf("create", key));
const isWaiting = isOperation("create", "waiting");
const isEvent = (key: string, version: bigint) => (event: AuditedEvent) =>
  event.paymentId === paymentId(key) && event.version === version;

function withOperation(
  { operations }: CleanFacts,
  matches: (operation: Operation) => boolean,
  replacement: Partial<Operation>,
) {
  return change(operations, matches, (operation) => ({ ...operation, ...replacement }));
}

function withPayment(
  { payments }: CleanFacts,
  key: string,
  replacement: Partial<AuditedPayment>,
): readonly AuditedPayment[] {
  return change(
    payments,
    ({ id }) => id === paymentId(key),
    (payment) => ({ ...payment, ...replacement }),
  );
}

/** The key is answered, and its answer has passed its retention. */
function tombstoneOf({ records }: CleanFacts, key: string, fingerprint = {}) {
  return change(
    records,
    isKey(key),
    ({ scope: _, outcome: __, ...record }): AuditedRecord => ({
      ...record,
      state: "expired",
      ...fingerprint,
    }),
  );
}

function endedRecord({ request: _, ...record }: AuditedRecord): AuditedRecord {
  return { ...record, state: "completed", outcome: REFUSAL };
}

function releasedRecord({ request: _, ...record }: AuditedRecord): AuditedRecord {
  return { ...record, state: "released" };
}

/** Each is found by one check and by no other. */
export const brokenStates: readonly (readonly [Check, string, Damage])[] = [
  [
    begunRequests,
    "an operation began for another request than its record was claimed for",
    (facts) => ({
      operations: withOperation(facts, isOperation("create", "sale"), {
        fingerprint: OTHER_REQUEST,
      }),
    }),
  ],
  [
    begunRequests,
    "a tombstone keeps another request than its operation began for",
    (facts) => ({ records: tombstoneOf(facts, "sale", { fingerprint: OTHER_REQUEST }) }),
  ],
  [
    begunRequests,
    "the record of an operation is gone",
    ({ records, calls }) => ({
      records: remove(records, isKey("sale")),
      calls: remove(calls, isKey("sale")),
    }),
  ],
  [
    reservations,
    "a refund in flight has nothing reserved",
    (facts) => ({ payments: withPayment(facts, "retried", { refunding: 0n }) }),
  ],
  [
    reservations,
    "a payment still reserves for a capture that was not executed",
    (facts) => ({ payments: withPayment(facts, "retried", { capturing: 400n }) }),
  ],
  [
    reservations,
    "a payment waits for a cancel that nobody asked for",
    (facts) => ({ payments: withPayment(facts, "hold", { canceling: true }) }),
  ],
  [
    reservations,
    "the key of a refund that reserves is gone",
    ({ records, operations }) => ({
      records: remove(records, isKey("refunding")),
      operations: ofOlderBuild(operations, isOperation("refund", "refunding")),
    }),
  ],
  [
    reservations,
    "the key of a refund that reserves has its answer",
    ({ records }) => ({ records: change(records, isKey("refunding"), endedRecord) }),
  ],
  [
    parkedOperations,
    "the key of what began long ago is gone",
    (facts) => ({
      records: remove(facts.records, isKey("waiting")),
      operations: ofOlderBuild(
        withOperation(facts, isWaiting, { beginTime: LONG_BEFORE_THE_WINDOW }),
        isWaiting,
      ),
    }),
  ],
  [
    parkedOperations,
    "the key of what began long ago has its answer",
    (facts) => ({
      records: change(facts.records, isKey("waiting"), endedRecord),
      operations: withOperation(facts, isWaiting, { beginTime: LONG_BEFORE_THE_WINDOW }),
    }),
  ],
  [
    parkedOperations,
    "a key is held without the request that it would be ended with",
    (facts) => ({
      records: change(facts.records, isKey("waiting"), ({ request: _, ...record }) => ({
        ...record,
        state: "held" as const,
        unknownReason: "the processor may have forgotten its key",
      })),
      operations: withOperation(facts, isWaiting, { beginTime: LONG_BEFORE_THE_WINDOW }),
    }),
  ],
  [
    boundedAttempts,
    "a key is executed once more than the bound",
    ({ records, maxAttempts }) => ({
      records: change(records, isKey("waiting"), (record) => ({
        ...record,
        attempts: maxAttempts + 1,
      })),
    }),
  ],
  [
    notExecuted,
    "a key is released, and its operation has begun",
    ({ records }) => ({ records: change(records, isKey("waiting"), releasedRecord) }),
  ],
  [
    notExecuted,
    "the key of a refund that reserves is released",
    ({ records }) => ({ records: change(records, isKey("refunding"), releasedRecord) }),
  ],
  [
    notExecuted,
    "a payment is still unknown, and its creation was not executed",
    (facts) => ({
      payments: withPayment(facts, "given-up", {
        status: "UNKNOWN",
        declineCode: "",
        version: 2n,
      }),
      events: remove(facts.events, isEvent("given-up", 3n)),
    }),
  ],
  [
    notExecuted,
    "a payment was declined by the processor, and its creation was not executed",
    (facts) => ({
      payments: withPayment(facts, "given-up", { declineCode: "no_funds" }),
      events: change(facts.events, isEvent("given-up", 3n), (event) =>
        changedEvent(event, { declineCode: "no_funds" }),
      ),
    }),
  ],
  [
    notExecuted,
    "a payment is declined as not executed, and the processor declined it",
    (facts) => ({
      payments: withPayment(facts, "refused", { declineCode: NOT_EXECUTED }),
      events: change(facts.events, isEvent("refused", 2n), (event) =>
        changedEvent(event, { declineCode: NOT_EXECUTED }),
      ),
      records: tombstoneOf(facts, "refused"),
    }),
  ],
  [
    unknownOutcomes,
    "a payment is declined as not executed, and its creation is under way",
    (facts) => ({
      operations: withOperation(facts, isOperation("create", "given-up"), {
        state: "unknown",
        declineCode: "",
      }),
      records: change(facts.records, isKey("given-up"), (record) => ({
        ...record,
        state: "held" as const,
        unknownReason: "the processor may have forgotten its key",
      })),
    }),
  ],
  [
    notExecuted,
    "a capture was not executed, and does not say so",
    (facts) => ({
      operations: withOperation(facts, isOperation("capture", "no-capture"), { declineCode: "" }),
    }),
  ],
  [
    knownEffects,
    "the processor did what an operator took for not executed",
    ({ effects, operations }) => {
      const processorKey = operations.find(isOperation("create", "given-up"))?.processorKey ?? "";
      return {
        effects: change(
          effects,
          ({ sequence }) => sequence === 1n,
          (effect) => [effect, { ...effect, processorKey, paymentId: paymentId("given-up") }],
        ),
      };
    },
  ],
  [
    transitions,
    "a payment that the processor declined began again",
    (facts) => ({
      payments: withPayment(facts, "refused", { version: 4n }),
      events: change(facts.events, isEvent("refused", 2n), (event) => [
        event,
        {
          ...changedEvent(event, {
            version: 3n,
            status: PaymentStatus.PROCESSING,
            declineCode: "",
          }),
          id: 98n,
          version: 3n,
        },
        { ...changedEvent(event, { version: 4n }), id: 99n, version: 4n },
      ]),
    }),
  ],
];
