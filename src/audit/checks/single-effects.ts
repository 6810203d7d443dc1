import { type Effect, EffectType } from "../../gen/payonce/sandbox/v1/sandbox_pb.js";
import type { Operation, OperationKind } from "../../payments/operation.js";
import { type Check, checkEach, keyText, operationText, together } from "../check.js";
import { type IndexedFacts, nameOf, type PaymentKey } from "../index-facts.js";

/**
 * The journal is read again after the database, so whatever is approved there
 * has its effect here, also while payments are being made.
 */
export const singleEffects: Check = {
  id: "I1",
  title: "one effect for each approved operation, at most one for any",
  needsCalls: false,
  check: (facts) =>
    together(
      checkEach(
        facts.effectsByProcessorKey,
        ([processorKey]) => `processor key ${processorKey}`,
        function* ([, effects]) {
          if (effects.length > 1) {
            yield `has ${effects.length} effects in the journal`;
          }
        },
      ),
      checkEach(facts.operations, operationText, (operation) =>
        problemsOfOperation(facts, operation),
      ),
      checkEach(facts.keys, ({ scope }) => keyText(scope), problemsOfAnswer),
    ),
};

function* problemsOfOperation(facts: IndexedFacts, operation: Operation): Iterable<string> {
  const effects = facts.effectsByProcessorKey.get(operation.processorKey) ?? [];
  if (operation.state === "approved" && effects.length === 0) {
    yield "is approved, and the journal holds no effect of it";
  }
  if (operation.state === "declined" && effects.length > 0) {
    yield "is declined, and the journal holds an effect of it";
  }
  if (!effects.every((effect) => isEffectOf(facts, operation, effect))) {
    yield "asked for something else than the journal's effect";
  }
}

function* problemsOfAnswer({ kind, operation, isAcknowledged }: PaymentKey): Iterable<string> {
  if (!isAcknowledged) {
    return;
  }
  if (operation === undefined) {
    yield "is answered with OK, and its operation does not exist";
  } else if (!isDone(operation, kind)) {
    yield `is answered with OK, and its operation is ${operation.state}`;
  }
}

/** Returns true if the operation's answer is an OK. A declined card is one, and so is a customer who has to act. */
export function isDone({ state }: Operation, kind: OperationKind): boolean {
  return (
    state === "approved" ||
    (kind === "create" && (state === "declined" || state === "requires_action"))
  );
}

function isEffectOf(facts: IndexedFacts, operation: Operation, effect: Effect): boolean {
  const { tenant, paymentId, currencyCode, minorUnits, kind } = operation;
  const amount = effect.amount;
  return (
    effect.paymentId === paymentId &&
    effect.type === effectType(operation, facts.paymentByName.get(nameOf(tenant, paymentId))) &&
    (kind === "cancel"
      ? amount === undefined
      : amount?.currencyCode === currencyCode && amount.minorUnits === minorUnits)
  );
}

function effectType(
  { kind }: Operation,
  payment: { readonly captureMethod: string } | undefined,
): EffectType {
  switch (kind) {
    case "create":
      return payment?.captureMethod === "AUTOMATIC"
        ? EffectType.AUTHORIZE_CAPTURE
        : EffectType.AUTHORIZE;
    case "capture":
      return EffectType.CAPTURE;
    case "cancel":
      return EffectType.VOID;
    case "refund":
      return EffectType.REFUND;
  }
}
