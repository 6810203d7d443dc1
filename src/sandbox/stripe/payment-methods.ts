import { type Behaviour, PLAIN, tokenBehaviour } from "../behaviours.js";
import { noSuch } from "./errors.js";

/** What a payment method does when it is charged. */
export interface PaymentMethod {
  readonly id: string;
  /** Its customer must agree first, unless the customer is away: then it declines. */
  readonly needsCustomer: boolean;
  /** The way in which a key's n-th call is served that has no answer yet. */
  readonly behaviour: (keyCalls: number) => Behaviour;
}

// docs.stripe.com/testing, the names that are used most.
const APPROVED =
  /^pm_card_(visa|mastercard|amex|discover|diners|jcb|unionpay|visa_debit|mastercard_debit|mastercard_prepaid|us|de|gb|fr|nl)$/;
const NEEDS_CUSTOMER = /^pm_card_(authenticationRequired|threeDSecure2?Required)$/;
const DECLINED: Readonly<Record<string, string>> = {
  "": "generic_decline",
  InsufficientFunds: "insufficient_funds",
  LostCard: "lost_card",
  StolenCard: "stolen_card",
  ExpiredCard: "expired_card",
  IncorrectCvc: "incorrect_cvc",
  ProcessingError: "processing_error",
  VelocityLimitExceeded: "card_velocity_exceeded",
  Fraudulent: "fraudulent",
};
const DECLINED_NAME = /^pm_card_(?:visa_)?chargeDeclined(?<reason>\w*)$/;

/**
 * Finds a payment method: one of Stripe's for tests, or a token of the sandbox.
 * @throws StripeError where there is none of that name.
 */
export function findPaymentMethod(id: string, param: string): PaymentMethod {
  if (id.startsWith("tok_")) {
    return {
      id,
      needsCustomer: false,
      behaviour: (keyCalls) => tokenBehaviour(id, keyCalls),
    };
  }
  if (APPROVED.test(id) || NEEDS_CUSTOMER.test(id)) {
    return { id, needsCustomer: NEEDS_CUSTOMER.test(id), behaviour: () => PLAIN };
  }
  const reason = DECLINED_NAME.exec(id)?.groups?.reason;
  const declineCode = reason === undefined ? undefined : DECLINED[reason];
  if (declineCode === undefined) {
    throw noSuch("PaymentMethod", id, param, 400);
  }
  return { id, needsCustomer: false, behaviour: () => ({ ...PLAIN, declineCode }) };
}
