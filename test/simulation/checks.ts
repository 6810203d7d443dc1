import type { Scope } from "../../src/idempotency/port/scope.js";
import { type Operation, operationIdOf } from "../../src/payments/operation.js";
import { type Account, applyEffect } from "../../src/sandbox/account.js";
import { CREATION, isOperation, kindOf, nameOf, PAYMENT_ID } from "./calls.js";
import type { HistoryEntry } from "./clients.js";
import type { Rows } from "./database.js";
import { type Break, checkHistory } from "./history.js";
import type { Observer } from "./observer.js";
import type { Effect } from "./processor.js";
import { askedUnits } from "./requests.js";

/** What a world has left behind. */
export interface Remains {
  readonly scopes: readonly Scope[];
  readonly observer: Observer;
  readonly history: readonly HistoryEntry[];
  readonly journal: readonly Effect[];
  readonly rows: Rows;
  readonly restored: Break | undefined;
}

/** What must be true of every key once all is over; reports what is not. */
export function check({ scopes, observer, history, journal, rows, restored }: Remains): void {
  for (const scope of scopes) {
    const name = nameOf(scope);
    const effects = journal.filter(({ claim }) => nameOf(claim.scope) === name);
    checkEffects(scope, effects, observer);
    if (isOperation(kindOf(scope))) {
      checkOperation(scope, effects, rows.operations.get(operationIdOf(scope)), observer);
    }
    const entries = history.filter(({ call }) => nameOf(call.scope) === name);
    checkHistory(scope, entries, { observer, restored });
  }
  checkPayment(journal, rows, observer);
}

function checkEffects(scope: Scope, effects: readonly Effect[], observer: Observer): void {
  if (effects.length > 1) {
    const keys = effects.map(({ processorKey }) => processorKey).join(", ");
    observer.report("effect_repeated", scope, `${effects.length} effects, under ${keys}`);
  }
  for (const { claim, generation } of effects) {
    const lives = observer
      .everLived(scope)
      .filter(({ owners }) =>
        owners.some(({ fencingToken }) => fencingToken === claim.fencingToken),
      );
    // A restored database may be told of it by a call that comes again.
    const isFree = lives.every(({ released }) => released?.generation === generation);
    if (lives.length > 0 && isFree) {
      observer.report(
        "not_executed_but_acted",
        scope,
        `its key was freed of ${claim.fencingToken}`,
      );
    }
  }
  const answer = observer.lives(scope).at(-1)?.completion?.content;
  if (effects.length > 0 && answer === undefined) {
    observer.report("effect_without_answer", scope, `${effects.length} effects`);
  } else if (!isOperation(kindOf(scope))) {
    if ((answer ?? "").includes("approved") !== effects.length > 0) {
      observer.report("answer_without_effect", scope, `${effects.length} effects, ${answer}`);
    }
  }
}

/** Every effect has an operation that says the same, and every operation that was approved an effect. */
function checkOperation(
  scope: Scope,
  [effect]: readonly Effect[],
  operation: Operation | undefined,
  observer: Observer,
): void {
  const state = operation?.state ?? "missing";
  if ((state === "approved") !== (effect !== undefined)) {
    const there = effect === undefined ? "no effect" : "an effect";
    observer.report("not_reconciled", scope, `${there}, and its operation is ${state}`);
  }
  if (effect?.amount !== undefined && effect.amount.minorUnits !== operation?.minorUnits) {
    const both = `${effect.amount.minorUnits}, ours is ${operation?.minorUnits}`;
    observer.report("not_reconciled", scope, `the effect's amount is ${both}`);
  }
  const asked = effect && askedUnits(effect.request);
  if (asked !== undefined && asked !== effect?.amount?.minorUnits) {
    const both = `${asked}, and ${effect?.amount?.minorUnits} was done`;
    observer.report("another_request_executed", scope, `it asked for ${both}`);
  }
  if (state === "pending" || state === "unknown") {
    observer.report("wedged", scope, `its operation is ${state}`);
  }
}

/** What the processor has done to the payment is within its bounds, and what our row says. */
function checkPayment(journal: readonly Effect[], rows: Rows, observer: Observer): void {
  const effects = journal.filter(({ paymentId }) => paymentId === PAYMENT_ID);
  const account = effects.reduce<Account | undefined>(applyEffect, undefined);
  const payment = rows.payments.get(PAYMENT_ID);
  if (account === undefined) {
    return;
  }
  const { authorized, captured, refunded, voided } = account;
  if (refunded > captured || (voided ? captured > 0n : captured > authorized)) {
    const amounts = `${authorized}, ${captured} captured, ${refunded} refunded`;
    observer.report("captured_too_much", CREATION, `authorized ${amounts}, voided: ${voided}`);
  }
  const same =
    payment?.captured === captured &&
    payment.refunded === refunded &&
    (payment.status === "CANCELED") === voided;
  if (!same) {
    const ours = `${payment?.status}, ${payment?.captured} and ${payment?.refunded}`;
    observer.report("not_reconciled", CREATION, `${captured} and ${refunded}, our row ${ours}`);
  }
}
