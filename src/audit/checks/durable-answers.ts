import { equals } from "@bufbuild/protobuf";
import { PaymentSchema } from "../../gen/payonce/payments/v1/payments_pb.js";
import { Code } from "../../idempotency/answers/code.js";
import { scopeHash } from "../../idempotency/port/scope.js";
import { type Check, checkEach, keyText, together } from "../check.js";
import type { AuditedRecord } from "../facts.js";
import { type IndexedFacts, nameOf, type PaymentKey, scopeName } from "../index-facts.js";
import { kindOf } from "../payment-methods.js";
import { isDone } from "./single-effects.js";

/**
 * A stored answer proves itself: the payment in it is the one that its
 * transaction also wrote as an event. What a client saw is compared with it.
 */
export const durableAnswers: Check = {
  id: "I5",
  title: "every OK is stored with what it tells of, and as its client saw it",
  needsCalls: false,
  check: (facts) => {
    const calls = (facts.calls ?? []).filter(
      ({ code, scope }) => code === Code.OK && kindOf(scope.operation) !== undefined,
    );
    const hashes = new Set(facts.records.map((record) => hex(record.scopeHash)));
    return together(
      checkEach(
        facts.keys,
        ({ scope }) => keyText(scope),
        (key) => problemsOfKey(facts, key),
      ),
      checkEach(
        calls,
        ({ scope }) => keyText(scope),
        function* ({ scope, body }) {
          const key = facts.keyByScope.get(scopeName(scope));
          if (key !== undefined) {
            yield* problemsOfCall(key.record, body);
          } else if (!hashes.has(hex(scopeHash(scope)))) {
            yield "was answered with OK, and has no record";
          }
        },
      ),
    );
  },
};

function* problemsOfKey(facts: IndexedFacts, key: PaymentKey): Iterable<string> {
  const { record, kind, operation, isAcknowledged } = key;
  if (record.state === "completed" && record.outcome === undefined) {
    yield "is completed, and its answer cannot be read";
  } else if (operation !== undefined && isDone(operation, kind) && !isAcknowledged) {
    yield `has no stored OK, and its operation is ${operation.state}`;
  } else if (isAcknowledged && operation !== undefined) {
    yield* problemsOfAnswer(facts, key, operation.paymentId);
  }
}

function* problemsOfAnswer(
  facts: IndexedFacts,
  { scope: { tenant }, answered }: PaymentKey,
  paymentId: string,
): Iterable<string> {
  const isOthers = !facts.paymentByName.has(nameOf(tenant, answered?.id ?? ""));
  if (answered !== undefined && isOthers && facts.paymentsById.has(answered.id)) {
    return; // another tenant's: worse than lost, and told of elsewhere
  }
  if (answered?.id !== paymentId) {
    yield "has a stored OK that does not tell of its operation's payment";
    return;
  }
  const event = facts.eventsByPayment
    .get(nameOf(tenant, paymentId))
    ?.find(({ version }) => version === answered.version);
  if (event === undefined) {
    yield `has a stored OK of version ${answered.version}, of which there is no event`;
  } else if (event.payment !== undefined && !equals(PaymentSchema, event.payment, answered)) {
    yield `has a stored OK that differs from the event of version ${answered.version}`;
  }
}

function* problemsOfCall({ state, outcome }: AuditedRecord, body: Uint8Array): Iterable<string> {
  if (outcome?.code !== Code.OK) {
    yield `was answered with OK, and its record is ${state} without one`;
  } else if (Buffer.compare(outcome.body, body) !== 0) {
    yield "was answered with other bytes than are stored";
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
