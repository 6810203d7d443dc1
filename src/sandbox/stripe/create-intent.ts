import type * as v from "valibot";
import { EffectType } from "../../gen/payonce/sandbox/v1/sandbox_pb.js";
import { PLAIN } from "../behaviours.js";
import { amountFromStripe } from "./currencies.js";
import { type Deciding, decideEffect, keepIntent, newId } from "./decide.js";
import { invalidRequest } from "./errors.js";
import type { Intent } from "./intent.js";
import type { Executed, Execution, Operation } from "./operation.js";
import type { parameters } from "./parameters.js";
import { findPaymentMethod, type PaymentMethod } from "./payment-methods.js";

type Parameters = v.InferOutput<typeof parameters.createIntent> &
  Partial<v.InferOutput<typeof parameters.createIntentBeforeEndive>>;

/** The entry of metadata that names the caller's own payment; the journal has it as its payment_id. */
const PAYMENT_ID = "payonce_payment_id";

/** POST /v1/payment_intents. @throws StripeError if a parameter is refused. */
export function createIntent(deciding: Deciding, given: Parameters): Operation {
  const amount = amountFromStripe(given.amount, given.currency);
  const method = paymentMethodOf(given);
  if (given.confirm && method === undefined) {
    throw invalidRequest(
      "You cannot confirm this PaymentIntent because it's missing a payment method.",
      { code: "payment_intent_unexpected_state", param: "payment_method" },
    );
  }
  if (given.confirm && mayRedirect(given) && given.return_url === undefined) {
    throw invalidRequest(
      "This PaymentIntent accepts payment methods that might redirect your customer, so you must provide a `return_url`, or set `allowed_payment_method_types`, or `automatic_payment_methods[allow_redirects]` to `never`.",
      { param: "return_url" },
    );
  }
  const type =
    given.capture_method === "manual" ? EffectType.AUTHORIZE : EffectType.AUTHORIZE_CAPTURE;

  function execute(execution: Execution): Executed {
    const id = newId("pi");
    const paymentId = given.metadata[PAYMENT_ID] || id;
    const isAway = given.off_session || given.error_on_requires_action;
    if (method === undefined || !given.confirm || (method.needsCustomer && !isAway)) {
      return wait(execution, id, paymentId);
    }
    const declineCode =
      execution.declineCode ?? (method.needsCustomer ? "authentication_required" : undefined);
    return decideEffect(
      deciding,
      { ...execution, declineCode },
      {
        type,
        paymentId,
        amount,
        paymentMethod: method.id,
        fields: {
          paymentIntent: id,
          metadata: given.metadata,
          description: given.description,
          captureMethod: given.capture_method,
        },
        expand: given.expand,
      },
    );
  }

  /** Nothing is charged yet. */
  function wait({ processorKey }: Execution, id: string, paymentId: string): Executed {
    const intent: Intent = {
      id,
      processorKey,
      paymentId,
      ...amount,
      paymentMethod: method?.id ?? "",
      captureMethod: given.capture_method,
      description: given.description,
      metadata: given.metadata,
      createTimeMs: deciding.now().getTime(),
      status: waitingStatus(method, given.confirm),
      captured: 0n,
      refunds: [],
      returnUrl: given.return_url,
    };
    return keepIntent(deciding, intent, { processorKey, expand: given.expand });
  }

  return {
    type,
    expand: given.expand,
    behaviour: (keyCalls) => (given.confirm ? method?.behaviour(keyCalls) : undefined) ?? PLAIN,
    execute,
  };
}

function waitingStatus(method: PaymentMethod | undefined, isConfirmed: boolean): Intent["status"] {
  if (method === undefined) {
    return "requires_payment_method";
  }
  return isConfirmed ? "requires_action" : "requires_confirmation";
}

function paymentMethodOf(given: Parameters): PaymentMethod | undefined {
  const { payment_method: id, payment_method_data: data } = given;
  if (id !== undefined) {
    return findPaymentMethod(id, "payment_method");
  }
  return data && findPaymentMethod(data.card.token, "payment_method_data[card][token]");
}

/** The methods of the account are in force, some of which redirect. */
function mayRedirect(given: Parameters): boolean {
  return (
    !given.off_session &&
    !given.error_on_requires_action &&
    given.allowed_payment_method_types === undefined &&
    given.payment_method_types === undefined &&
    given.automatic_payment_methods?.allow_redirects !== "never"
  );
}
