import type { Scope } from "../../src/idempotency/port/scope.js";
import { type Operation, operationIdOf } from "../../src/payments/operation.js";
import { CREATION, PAYMENT_ID } from "./calls.js";
import type { Database } from "./database.js";
import type { Observer } from "./observer.js";

/**
 * Nothing is set aside, at any instant, but for an operation in flight whose
 * record is executing or held: so that somebody can end it.
 */
export function checkReservations(
  { rows, recordState }: Database,
  scopes: readonly Scope[],
  observer: Observer,
): void {
  const inFlight: Operation[] = [];
  for (const scope of scopes) {
    const operation = rows.operations.get(operationIdOf(scope));
    if (operation?.state !== "pending" && operation?.state !== "unknown") {
      continue;
    }
    inFlight.push(operation);
    const state = recordState(scope);
    if (state !== "executing" && state !== "held") {
      observer.report("reservation_left", scope, `its record is ${state ?? "gone"}`);
    }
  }
  const payment = rows.payments.get(PAYMENT_ID);
  const units = (kind: Operation["kind"]) =>
    inFlight
      .filter((operation) => operation.kind === kind)
      .reduce((sum, { minorUnits }) => sum + minorUnits, 0n);
  const isBusy = payment?.status === "PROCESSING" || payment?.status === "UNKNOWN";
  const wrong = [
    ["capturing", payment?.capturing ?? 0n, units("capture")],
    ["refunding", payment?.refunding ?? 0n, units("refund")],
    ["canceling", payment?.canceling ?? false, units("cancel") > 0n],
    ["being created", isBusy, units("create") > 0n],
  ].filter(([, reserved, asked]) => reserved !== asked);
  for (const [what, reserved, asked] of wrong) {
    observer.report("reservation_left", CREATION, `${what} ${reserved}, in flight ${asked}`);
  }
}
