import type { JsonObject } from "@bufbuild/protobuf";
import { EffectType } from "../../gen/payonce/sandbox/v1/sandbox_pb.js";
import type { Intent } from "./intent.js";
import type { Answer } from "./intents.js";
import type { Resources } from "./resources.js";

/** What happened, as Stripe's events name it, and the object as it was then. */
export interface StripeEvent {
  readonly type: string;
  readonly object: JsonObject;
}

/** The events of a verdict: docs.stripe.com/api/events/types. */
export function eventsOfAnswer(
  type: EffectType,
  answer: Answer,
  resources: Resources,
): readonly StripeEvent[] {
  const { intent, refund, declineCode } = answer;
  const ofIntent = (name: string) => intentEvent(name, intent, resources);
  switch (type) {
    case EffectType.AUTHORIZE:
    case EffectType.AUTHORIZE_CAPTURE:
      return declineCode === undefined
        ? [ofIntent(nameOfMoney(intent))]
        : [ofIntent("payment_failed")];
    case EffectType.CAPTURE:
      return declineCode === undefined ? [ofIntent(nameOfMoney(intent))] : [];
    case EffectType.VOID:
      return [ofIntent("canceled")];
    case EffectType.REFUND:
      return refund === undefined
        ? []
        : [
            { type: "refund.created", object: resources.refund(refund, intent, []) },
            { type: "charge.refunded", object: resources.charge(intent, []) },
          ];
    case EffectType.UNSPECIFIED:
      return [];
  }
}

/** The events of an intent that came to its status without an effect. */
export function eventsOfWaiting(intent: Intent, resources: Resources): readonly StripeEvent[] {
  switch (intent.status) {
    case "requires_action":
    case "canceled":
      return [intentEvent(intent.status, intent, resources)];
    case "requires_payment_method":
      return intent.declineCode === undefined
        ? []
        : [intentEvent("payment_failed", intent, resources)];
    default:
      return [];
  }
}

function intentEvent(name: string, intent: Intent, resources: Resources): StripeEvent {
  return { type: `payment_intent.${name}`, object: resources.intent(intent, []) };
}

function nameOfMoney({ status }: Intent): string {
  return status === "succeeded" ? "succeeded" : "amount_capturable_updated";
}
