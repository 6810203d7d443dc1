import type * as v from "valibot";
import { EffectType } from "../../gen/payonce/sandbox/v1/sandbox_pb.js";
import { PLAIN } from "../behaviours.js";
import { amountFromStripe } from "./currencies.js";
import { type Deciding, decideEffect, keepIntent } from "./decide.js";
import { type ErrorFields, invalidRequest, noSuch, type StripeError } from "./errors.js";
import { canceled, capturableOf, type Intent } from "./intent.js";
import type { Executed, Operation } from "./operation.js";
import type { parameters } from "./parameters.js";

/** POST /v1/payment_intents/:id/capture. */
export function captureIntent(
  deciding: Deciding,
  id: string,
  given: v.InferOutput<typeof parameters.captureIntent>,
): Operation {
  if (!given.final_capture && !deciding.hasMulticapture) {
    throw invalidRequest("final_capture=false takes an account with multicapture", {
      param: "final_capture",
    });
  }
  return {
    type: EffectType.CAPTURE,
    expand: given.expand,
    behaviour: () => PLAIN,
    execute(execution) {
      const intent = find(deciding, id);
      if (intent.status !== "requires_capture") {
        throw unexpectedState(deciding, intent, "captured", "requires_capture");
      }
      const capturable = capturableOf(intent);
      const amount =
        given.amount_to_capture === undefined
          ? { currencyCode: intent.currencyCode, minorUnits: capturable }
          : amountFromStripe(given.amount_to_capture, intent.currencyCode, "amount_to_capture");
      if (amount.minorUnits > capturable) {
        throw invalidRequest(
          "The amount to capture is greater than the amount that can be captured on this PaymentIntent.",
          { code: "amount_too_large", param: "amount_to_capture" },
        );
      }
      return decideEffect(deciding, execution, {
        type: EffectType.CAPTURE,
        paymentId: intent.paymentId,
        amount,
        paymentMethod: "",
        fields: {
          paymentIntent: id,
          metadata: given.metadata,
          keepsRest: !given.final_capture,
        },
        expand: given.expand,
      });
    },
  };
}

/** POST /v1/payment_intents/:id/cancel. */
export function cancelIntent(
  deciding: Deciding,
  id: string,
  given: v.InferOutput<typeof parameters.cancelIntent>,
): Operation {
  return {
    type: EffectType.VOID,
    expand: given.expand,
    behaviour: () => PLAIN,
    execute(execution) {
      const intent = find(deciding, id);
      const reason = given.cancellation_reason ?? "";
      const isOpen = intent.status !== "succeeded" && intent.status !== "canceled";
      if (!isOpen || intent.captured > 0n) {
        throw unexpectedState(
          deciding,
          intent,
          "canceled",
          "requires_payment_method, requires_capture, requires_confirmation, requires_action",
        );
      }
      return intent.status === "requires_capture"
        ? voidAuthorization(deciding, intent, { execution, reason, expand: given.expand })
        : keepIntent(deciding, canceled(intent, deciding.now().getTime(), reason), {
            processorKey: execution.processorKey,
            expand: given.expand,
          });
    },
  };
}

/** POST /sandbox/payment_intents/:id/expire: what Stripe does once an authorization has lapsed. */
export function expireIntent(deciding: Deciding, id: string): Operation {
  return {
    type: EffectType.VOID,
    expand: [],
    behaviour: () => PLAIN,
    execute(execution) {
      const intent = find(deciding, id);
      if (intent.status !== "requires_capture") {
        throw unexpectedState(deciding, intent, "expired", "requires_capture");
      }
      return voidAuthorization(deciding, intent, { execution, reason: "automatic", expand: [] });
    },
  };
}

/** POST /sandbox/payment_intents/:id/authenticate: what its customer does. */
export function authenticateIntent(
  deciding: Deciding,
  id: string,
  { result }: v.InferOutput<typeof parameters.authenticate>,
): Operation {
  return {
    type: EffectType.AUTHORIZE,
    expand: [],
    behaviour: () => PLAIN,
    execute(execution) {
      const intent = find(deciding, id);
      if (intent.status !== "requires_action") {
        throw unexpectedState(deciding, intent, "authenticated", "requires_action");
      }
      if (result === "failure") {
        const declineCode = "payment_intent_authentication_failure";
        const failed: Intent = { ...intent, status: "requires_payment_method", declineCode };
        return keepIntent(deciding, failed, { processorKey: execution.processorKey, expand: [] });
      }
      // The effect belongs to the call that created the intent. Where that key
      // has one already it was forgotten meanwhile.
      const isFree = deciding.processor.find(intent.processorKey) === undefined;
      const processorKey = isFree ? intent.processorKey : execution.processorKey;
      const executed = decideEffect(
        deciding,
        { ...execution, processorKey },
        {
          type:
            intent.captureMethod === "manual" ? EffectType.AUTHORIZE : EffectType.AUTHORIZE_CAPTURE,
          paymentId: intent.paymentId,
          amount: { currencyCode: intent.currencyCode, minorUnits: intent.minorUnits },
          paymentMethod: intent.paymentMethod,
          fields: {
            paymentIntent: id,
            metadata: { ...intent.metadata },
            description: intent.description,
            captureMethod: intent.captureMethod,
          },
          expand: [],
        },
      );
      return { ...executed, isJournaled: false }; // not under this call's key
    },
  };
}

interface Voiding {
  readonly execution: Parameters<Operation["execute"]>[0];
  readonly reason: string;
  readonly expand: readonly string[];
}

function voidAuthorization(
  deciding: Deciding,
  intent: Intent,
  { execution, reason, expand }: Voiding,
): Executed {
  return decideEffect(deciding, execution, {
    type: EffectType.VOID,
    paymentId: intent.paymentId,
    paymentMethod: "",
    fields: { paymentIntent: intent.id, reason },
    expand,
  });
}

function find({ intents }: Deciding, id: string): Intent {
  const intent = intents.find(id);
  if (intent === undefined) {
    throw noSuch("payment_intent", id, "intent");
  }
  return intent;
}

function unexpectedState(
  { resources }: Deciding,
  intent: Intent,
  what: string,
  states: string,
): StripeError {
  const fields: Omit<ErrorFields, "type" | "message"> = {
    code: "payment_intent_unexpected_state",
    payment_intent: resources.intent(intent, []),
  };
  return invalidRequest(
    `This PaymentIntent could not be ${what} because it has a status of ${intent.status}. Only a PaymentIntent with one of the following statuses may be ${what}: ${states}.`,
    fields,
  );
}
