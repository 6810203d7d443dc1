import { errorReply, type Reply, StripeError } from "./errors.js";
import type { Answer } from "./intents.js";
import { chargeIdOf, codeOfDecline, DECLINED_MESSAGE, type Resources } from "./resources.js";

/** The answer of a verdict: the object as it was then, or a card error. */
export function replyOfAnswer(
  { intent, refund, declineCode }: Answer,
  expand: readonly string[],
  resources: Resources,
): Reply {
  if (declineCode !== undefined) {
    return errorReply(
      new StripeError(402, {
        type: "card_error",
        code: codeOfDecline(declineCode),
        decline_code: declineCode,
        message: DECLINED_MESSAGE,
        charge: chargeIdOf(intent),
        payment_intent: resources.intent(intent, expand),
      }),
    );
  }
  const body =
    refund === undefined
      ? resources.intent(intent, expand)
      : resources.refund(refund, intent, expand);
  return { status: 200, body };
}
