import type Stripe from "stripe";

/**
 * A call that Stripe did not answer with success. It has only what cannot hold a secret or a card:
 * Stripe's own message is left out, since it may repeat a part of the key.
 */
export class StripeFailure extends Error {
  override readonly name = "StripeFailure";

  constructor(readonly facts: FailureFacts) {
    super(`Stripe: ${describe(facts)}`);
  }
}

/** The parts of one of Stripe's errors that something depends on. */
export interface FailureFacts {
  /** Absent where no answer came. */
  readonly status?: number;
  /** The type of Stripe's error object, such as `card_error`. */
  readonly type?: string;
  readonly code?: string;
  readonly declineCode?: string;
  /** The parameter that is wrong. */
  readonly param?: string;
  readonly requestId?: string;
  readonly charge?: string;
  readonly paymentIntent?: string;
  readonly networkDeclineCode?: string;
  readonly networkAdviceCode?: string;
  readonly adviceCode?: string;
  /** The words for a connection that failed. */
  readonly connection?: string;
}

/** Words of Stripe's, and no sentences: nothing of a message gets through. */
const WORD = /^[A-Za-z0-9_.[\]-]{1,80}$/;

/** Makes the failure of what the package threw, or of an error of the connection. */
export function failureOf(error: unknown, secretKey: string): StripeFailure {
  const word = (value: unknown): string | undefined =>
    typeof value === "string" && WORD.test(value) && !isPartOf(value, secretKey)
      ? value
      : undefined;
  const stripe = isStripeError(error) ? error : undefined;
  const detail = stripe?.detail;
  const cause = stripe === undefined ? error : detail;
  const status = stripe?.statusCode;
  const facts = {
    status,
    type: word(stripe?.rawType),
    code: word(stripe?.code),
    declineCode: word(stripe?.decline_code),
    param: word(stripe?.param),
    requestId: word(stripe?.requestId),
    charge: word(stripe?.charge),
    paymentIntent: word(stripe?.payment_intent?.id),
    networkDeclineCode: word(stripe?.network_decline_code),
    networkAdviceCode: word(stripe?.network_advice_code),
    adviceCode: word(stripe?.advice_code),
    connection: status === undefined ? (word(codeOf(cause)) ?? "no answer that is one") : undefined,
  };
  const given = Object.entries(facts).filter(([, value]) => value !== undefined);
  return new StripeFailure(Object.fromEntries(given));
}

/** Stripe itself shows the last four characters of a key, so more than those is a part of it. */
const SHOWN_OF_KEYS = 8;

function isPartOf(value: string, secretKey: string): boolean {
  return value.includes(secretKey) || (value.length > SHOWN_OF_KEYS && secretKey.includes(value));
}

function isStripeError(error: unknown): error is Stripe.errors.StripeError {
  return error instanceof Error && "rawType" in error && "requestId" in error;
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

function describe(facts: FailureFacts): string {
  const { status, type, code, declineCode, param, requestId, connection } = facts;
  if (status === undefined) {
    return connection ?? "no answer";
  }
  const more = [
    type,
    code,
    declineCode === code ? undefined : declineCode,
    param === undefined ? undefined : `parameter ${param}`,
    requestId === undefined ? undefined : `request ${requestId}`,
  ].filter((part) => part !== undefined);
  return [`status ${status}`, ...more].join(", ");
}
