import { CallError, type ErrorDescription, refusal } from "../../src/idempotency/answers/errors.js";
import type { Intent, OperationKind } from "../../src/payments/operation.js";
import { settled } from "../../src/runtime/batches.js";
import type { Random } from "../support/random.js";
import { isOperation, type Kind, PAYMENT_ID } from "./calls.js";

// What requests ask for, as their texts say.

/** A request that cannot be meant. */
export const INVALID = "invalid";

const AT_ONCE = " at once";
const ALL = "all";
const CURRENCY = "EUR";

/** Two requests, of which a client that changes its mind sends the other one. */
export function drawRequests(kind: Kind, random: Random): readonly [string, string] {
  switch (kind) {
    case "create":
      return random.pick([
        ["2", "3"],
        ["3", "2"],
        [`2${AT_ONCE}`, "2"],
      ]);
    case "capture":
    case "refund":
      return random.pick([
        ["1", "2"],
        ["2", "1"],
        ["2", ALL],
        [ALL, "1"],
      ]);
    case "cancel":
    case "rerun":
    case "hold":
      return ["request", "changed"];
  }
}

/** The amount that a request names in minor units, if it names one. */
export function askedUnits(request: string): bigint | undefined {
  const [units = ""] = request.split(" ");
  return /^\d+$/.test(units) ? BigInt(units) : undefined;
}

/** @throws CallError if the request is not valid. */
export function intentOf(kind: OperationKind, request: string): Intent {
  if (request === INVALID) {
    throw new CallError(notValid());
  }
  const minorUnits = askedUnits(request);
  const amount = minorUnits === undefined ? {} : { amount: { currencyCode: CURRENCY, minorUnits } };
  switch (kind) {
    case "create":
      return {
        kind,
        terms: {
          currencyCode: CURRENCY,
          minorUnits: minorUnits ?? 1n,
          paymentMethod: "tok_simulated",
          captureMethod: request.endsWith(AT_ONCE) ? "AUTOMATIC" : "MANUAL",
          merchantReference: "",
          description: "",
          metadata: {},
        },
      };
    case "capture":
    case "refund":
      return { kind, paymentId: PAYMENT_ID, ...amount };
    case "cancel":
      return { kind, paymentId: PAYMENT_ID };
  }
}

/** What is wrong with a request, as it is asked before anything is claimed. */
export function validate(kind: Kind, request: string): ErrorDescription | undefined {
  if (!isOperation(kind)) {
    return request === INVALID ? notValid() : undefined;
  }
  const intent = settled(() => intentOf(kind, request));
  return !intent.ok && intent.error instanceof CallError ? intent.error.description : undefined;
}

function notValid(): ErrorDescription {
  return refusal("AMOUNT_INVALID", "amount.minor_units: must be a number");
}
