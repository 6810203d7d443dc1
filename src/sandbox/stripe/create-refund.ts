import type * as v from "valibot";
import { EffectType } from "../../gen/payonce/sandbox/v1/sandbox_pb.js";
import { PLAIN } from "../behaviours.js";
import { amountFromStripe, toStripeUnits } from "./currencies.js";
import { type Deciding, decideEffect, newId } from "./decide.js";
import { invalidRequest, noSuch } from "./errors.js";
import { refundedOf } from "./intent.js";
import type { Operation } from "./operation.js";
import type { parameters } from "./parameters.js";
import { chargeIdOf, intentIdOfCharge } from "./resources.js";

/** POST /v1/refunds. @throws StripeError if a parameter is refused. */
export function createRefund(
  deciding: Deciding,
  given: v.InferOutput<typeof parameters.createRefund>,
): Operation {
  const { payment_intent: id = intentIdOfCharge(given.charge ?? "") } = given;
  if (id === "") {
    throw invalidRequest(
      "One of the following params should be provided for this request: payment_intent or charge.",
      { code: "parameter_missing", param: "payment_intent" },
    );
  }
  return {
    type: EffectType.REFUND,
    expand: given.expand,
    behaviour: () => PLAIN,
    execute(execution) {
      const intent = deciding.intents.find(id);
      if (intent === undefined) {
        throw noSuch("payment_intent", id, "payment_intent");
      }
      if (intent.captured === 0n) {
        throw invalidRequest(
          `This PaymentIntent (${id}) does not have a successful charge to refund.`,
          {
            code: "payment_intent_unexpected_state",
            param: "payment_intent",
          },
        );
      }
      const { currencyCode } = intent;
      const refundable = intent.captured - refundedOf(intent);
      if (refundable === 0n) {
        throw invalidRequest(`Charge ${chargeIdOf(intent)} has already been refunded.`, {
          code: "charge_already_refunded",
        });
      }
      const amount =
        given.amount === undefined
          ? { currencyCode, minorUnits: refundable }
          : amountFromStripe(given.amount, currencyCode);
      if (amount.minorUnits > refundable) {
        throw invalidRequest(
          `Refund amount (${given.amount}) is greater than unrefunded amount on charge (${toStripeUnits(refundable, currencyCode)})`,
          { param: "amount" },
        );
      }
      return decideEffect(deciding, execution, {
        type: EffectType.REFUND,
        paymentId: intent.paymentId,
        amount,
        paymentMethod: "",
        fields: {
          paymentIntent: id,
          refund: newId("re"),
          metadata: given.metadata,
          reason: given.reason ?? "",
        },
        expand: given.expand,
      });
    },
  };
}
