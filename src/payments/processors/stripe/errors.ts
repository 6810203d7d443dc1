import type { OperationKind } from "../../operation.js";
import type { FailureFacts } from "./failure.js";

/** What becomes of an operation that Stripe answers with an error. */
export type ErrorMeaning =
  /** Final: Stripe has decided, and said no. */
  | "declined"
  /** Refused for good as it is: declined as `invalid_request`, unless an earlier call has acted. */
  | "invalid"
  /** The key has done something else: a fault of ours, which an operator looks at. */
  | "key_reused"
  /** It may have acted: repeated under the same key. */
  | "unknown";

/** One kind of Stripe's errors. */
export interface ErrorRule {
  /** The error in words. */
  readonly error: string;
  readonly matches: (facts: FailureFacts, kind: OperationKind) => boolean;
  readonly meaning: ErrorMeaning;
  readonly reason: string;
}

/** The account or its key is set up wrongly, whatever the payment is. */
const ACCOUNT_CODES: ReadonlySet<string> = new Set([
  "account_invalid",
  "api_key_expired",
  "capability_not_active",
  "livemode_mismatch",
  "not_allowed_on_standard_account",
  "platform_account_required",
  "platform_api_key_expired",
  "secret_key_required",
  "testmode_charges_only",
  "tls_version_unsupported",
]);

/** The state of the intent or its charge does not permit it. */
const STATE_CODES: Readonly<Record<OperationKind, ReadonlySet<string>>> = {
  create: new Set(),
  capture: new Set([
    "amount_too_large",
    "capture_charge_authorization_expired",
    "capture_unauthorized_payment",
    "charge_already_captured",
    "charge_already_refunded",
    "charge_expired_for_capture",
    "payment_intent_unexpected_state",
  ]),
  cancel: new Set(["charge_already_captured", "payment_intent_unexpected_state"]),
  refund: new Set([
    "amount_too_large",
    "charge_already_refunded",
    "charge_disputed",
    "charge_not_refundable",
    "payment_intent_unexpected_state",
    "refund_disputed_payment",
  ]),
};

/**
 * The meaning of all of Stripe's errors; the first rule that matches counts. From
 * docs.stripe.com/api/errors, docs.stripe.com/error-codes and docs.stripe.com/error-low-level.
 */
export const errorRules: readonly ErrorRule[] = [
  {
    error: "no answer: connection refused or broken, timeout, an answer that is no JSON",
    matches: ({ status }) => status === undefined,
    meaning: "unknown",
    reason: "a broken connection may hide a charge",
  },
  {
    error: "401, 403: the key is wrong, expired, or may not do this",
    matches: ({ status }) => status === 401 || status === 403,
    meaning: "unknown",
    reason:
      "this call did nothing, but an earlier one may have; and a decline would outlast the mistake in the settings",
  },
  {
    error: `any status with a code of the account: ${[...ACCOUNT_CODES].map(quoted).join(", ")}`,
    matches: ({ code }) => code !== undefined && ACCOUNT_CODES.has(code),
    meaning: "unknown",
    reason: "as above: the account has to be set right, and the payment goes on",
  },
  {
    error: "409, `idempotency_key_in_use`",
    matches: ({ status, code }) => status === 409 || code === "idempotency_key_in_use",
    meaning: "unknown",
    reason:
      "another call under the key is in flight, and its answer comes with the next repetition",
  },
  {
    error: "429, `rate_limit`, `lock_timeout`",
    matches: ({ status, code }) =>
      status === 429 || code === "rate_limit" || code === "lock_timeout",
    meaning: "unknown",
    reason: "this call did nothing, but an earlier one under the key may have",
  },
  {
    error: "5xx, 424, `api_error`",
    matches: ({ status = 0, type }) => status >= 500 || status === 424 || type === "api_error",
    meaning: "unknown",
    reason:
      "Stripe may have acted; it keeps a 500 for its key, so a repetition is followed by a look-up",
  },
  {
    error: "`idempotency_error`",
    matches: ({ type }) => type === "idempotency_error",
    meaning: "key_reused",
    reason: "the same key with other parameters is a fault of this service: held for an operator",
  },
  {
    error: "`card_error`",
    matches: ({ type }) => type === "card_error",
    meaning: "declined",
    reason:
      "the issuer, the network or Stripe's Radar said no; the code is `decline_code`, else `code`",
  },
  ...(["capture", "cancel", "refund"] as const).map(
    (kind): ErrorRule => ({
      error: `${kind}: ${[...STATE_CODES[kind]].map(quoted).join(", ")}`,
      matches: ({ code }, of) => of === kind && code !== undefined && STATE_CODES[kind].has(code),
      meaning: "declined",
      reason: "the payment's state at Stripe does not permit it; the code is `code`",
    }),
  ),
  {
    error: "capture, cancel, refund: 404, `resource_missing`",
    matches: ({ status, code }, kind) =>
      kind !== "create" && (status === 404 || code === "resource_missing"),
    meaning: "unknown",
    reason: "Stripe knew the payment once: the key is one of another account, or of the other mode",
  },
  {
    error: "every other `invalid_request_error`",
    matches: ({ status, type }) => status === 400 || type === "invalid_request_error",
    meaning: "invalid",
    reason: "Stripe can make no sense of a parameter, such as a payment method that is none",
  },
  {
    error: "every other answer",
    matches: () => true,
    meaning: "unknown",
    reason: "what is not understood is no decision",
  },
];

/** Returns the meaning of an error for an operation. */
export function meaningOf(facts: FailureFacts, kind: OperationKind): ErrorMeaning {
  return errorRules.find(({ matches }) => matches(facts, kind))?.meaning ?? "unknown";
}

/** Stripe's names for a customer who had to be asked and was not (`error_on_requires_action`). */
const AUTHENTICATION_CODES: ReadonlySet<string> = new Set([
  "payment_intent_action_required",
  "requires_action_not_handled",
]);

/** Returns the decline code of a decline. */
export function declineCodeOf({
  code,
  declineCode,
}: Pick<FailureFacts, "code" | "declineCode">): string {
  const given = declineCode ?? code ?? "card_declined";
  return AUTHENTICATION_CODES.has(given) ? "authentication_required" : given;
}

function quoted(code: string): string {
  return `\`${code}\``;
}
