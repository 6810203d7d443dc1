import {
  type CaptureMethod,
  PaymentService,
} from "../../src/gen/payonce/payments/v1/payments_pb.js";
import type { Scope } from "../../src/idempotency/port/scope.js";
import { paymentIdOf, processorKeyOf } from "../../src/payments/operation.js";
import { eur } from "../support/payments/payments-client.js";
import type { Intent, Request } from "./intents.js";

const TENANT = "default";

/** As a payment is named that nobody has made. */
const NO_PAYMENT = `pay_${"0".repeat(40)}`;

interface Terms {
  readonly minorUnits: bigint;
  readonly paymentMethod: string;
  readonly captureMethod: CaptureMethod;
}

export function creationOf(
  key: string,
  { minorUnits, ...terms }: Terms,
  { isContested }: Pick<Intent, "isContested">,
): Intent {
  const scope = scopeOf("CreatePayment", key);
  const of = (amount: bigint): Request => ({
    send: (service) => service.createPayment({ amount: eur(amount), ...terms }, key),
    minorUnits: amount,
  });
  return {
    ...newIntent(scope, paymentIdOf(scope)),
    isContested,
    request: of(minorUnits),
    other: of(minorUnits + 1n),
  };
}

/** Without an amount: all that remains. */
export function captureOf(key: string, paymentId: string, minorUnits?: bigint): Intent {
  const of = (amount?: bigint): Request => ({
    send: (service) =>
      service.capturePayment(
        { paymentId, ...(amount === undefined ? {} : { amount: eur(amount) }) },
        key,
      ),
    ...(amount === undefined ? {} : { minorUnits: amount }),
  });
  return {
    ...newIntent(scopeOf("CapturePayment", key), paymentId),
    request: of(minorUnits),
    other: of((minorUnits ?? 0n) + 1n),
  };
}

export function cancelOf(key: string, paymentId: string): Intent {
  const of = (id: string): Request => ({
    send: (service) => service.cancelPayment({ paymentId: id }, key),
  });
  return {
    ...newIntent(scopeOf("CancelPayment", key), paymentId),
    request: of(paymentId),
    other: of(NO_PAYMENT),
  };
}

export function refundOf(key: string, paymentId: string, minorUnits: bigint): Intent {
  const of = (amount: bigint): Request => ({
    send: (service) => service.refundPayment({ paymentId, amount: eur(amount) }, key),
    minorUnits: amount,
  });
  return {
    ...newIntent(scopeOf("RefundPayment", key), paymentId),
    request: of(minorUnits),
    other: of(minorUnits + 1n),
  };
}

function newIntent(scope: Scope, paymentId: string) {
  return {
    scope,
    processorKey: processorKeyOf(scope),
    paymentId,
    isContested: false,
    told: [],
    asking: 0,
    isGivenUp: false,
  };
}

function scopeOf(method: string, key: string): Scope {
  return { tenant: TENANT, operation: `${PaymentService.typeName}/${method}`, key };
}
