import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { toStripeUnits } from "./currencies.js";
import { capturableOf, type Intent, type Refund, refundedOf } from "./intent.js";

/** How the face writes its objects: in the shape of the API's version that `stripe` 23.1.0 pins. */
export interface Resources {
  intent(intent: Intent, expand: readonly string[]): JsonObject;
  refund(refund: Refund, intent: Intent, expand: readonly string[]): JsonObject;
  charge(intent: Intent, expand: readonly string[]): JsonObject;
}

// An authorization of a card lapses after this. docs.stripe.com/payments/place-a-hold-on-a-payment-method
const AUTHORIZATION_MS = 7 * 24 * 3_600_000;

/** @param baseUrl where the face listens: a customer who must agree is sent there. */
export function createResources(baseUrl: string): Resources {
  function toIntent(intent: Intent, expand: readonly string[]): JsonObject {
    const units = (minorUnits: bigint) => toStripeUnits(minorUnits, intent.currencyCode);
    return {
      id: intent.id,
      object: "payment_intent",
      allowed_payment_method_types: null,
      amount: units(intent.minorUnits),
      amount_capturable: units(capturableOf(intent)),
      amount_details: { tip: {} },
      amount_received: units(intent.captured),
      application: null,
      application_fee_amount: null,
      automatic_payment_methods: null,
      canceled_at: intent.cancelTimeMs === undefined ? null : toSeconds(intent.cancelTimeMs),
      cancellation_reason: intent.cancelReason || null,
      capture_method: intent.captureMethod,
      client_secret: clientSecretOf(intent),
      confirmation_method: "automatic",
      created: toSeconds(intent.createTimeMs),
      currency: intent.currencyCode.toLowerCase(),
      customer: null,
      customer_account: null,
      description: intent.description || null,
      excluded_payment_method_types: null,
      last_payment_error: lastError(intent),
      latest_charge: latestCharge(intent, expand),
      livemode: false,
      managed_payments: null,
      metadata: { ...intent.metadata },
      next_action: nextAction(intent, baseUrl),
      on_behalf_of: null,
      payment_method:
        intent.status === "requires_payment_method" ? null : intent.paymentMethod || null,
      payment_method_configuration_details: null,
      payment_method_options: {
        card: { installments: null, network: null, request_three_d_secure: "automatic" },
      },
      payment_method_types: ["card"],
      payment_record: null,
      processing: null,
      receipt_email: null,
      review: null,
      setup_future_usage: null,
      shipping: null,
      source: null,
      statement_descriptor: null,
      statement_descriptor_suffix: null,
      status: intent.status,
      transfer_data: null,
      transfer_group: null,
    };
  }

  function latestCharge(intent: Intent, expand: readonly string[]): JsonValue {
    if (intent.chargeTimeMs === undefined) {
      return null;
    }
    return isExpanded(expand, "latest_charge")
      ? toCharge(intent, below(expand, "latest_charge"))
      : chargeIdOf(intent);
  }

  function toCharge(intent: Intent, expand: readonly string[]): JsonObject {
    const units = (minorUnits: bigint) => toStripeUnits(minorUnits, intent.currencyCode);
    const isDeclined = intent.declineCode !== undefined;
    const isCanceled = intent.status === "canceled";
    const refunded = isCanceled ? intent.minorUnits : refundedOf(intent);
    const chargeTimeMs = intent.chargeTimeMs ?? intent.createTimeMs;
    return {
      id: chargeIdOf(intent),
      object: "charge",
      amount: units(intent.minorUnits),
      amount_captured: units(intent.captured),
      amount_refunded: units(refunded),
      application: null,
      application_fee: null,
      application_fee_amount: null,
      balance_transaction: null,
      billing_details: {
        address: null,
        email: null,
        name: null,
        phone: null,
        tax_id: null,
      },
      calculated_statement_descriptor: "PAYONCE SANDBOX",
      captured: intent.captured > 0n,
      created: toSeconds(chargeTimeMs),
      currency: intent.currencyCode.toLowerCase(),
      customer: null,
      description: intent.description || null,
      disputed: false,
      failure_balance_transaction: null,
      failure_code: isDeclined ? codeOfDecline(intent.declineCode ?? "") : null,
      failure_message: isDeclined ? DECLINED_MESSAGE : null,
      fraud_details: {},
      livemode: false,
      metadata: { ...intent.metadata },
      on_behalf_of: null,
      outcome: {
        advice_code: null,
        network_advice_code: null,
        network_decline_code: null,
        network_status: isDeclined ? "declined_by_network" : "approved_by_network",
        reason: intent.declineCode ?? null,
        seller_message: isDeclined ? DECLINED_MESSAGE : "Payment complete.",
        type: isDeclined ? "issuer_declined" : "authorized",
      },
      paid: !isDeclined,
      payment_intent: isExpanded(expand, "payment_intent") ? toIntent(intent, []) : intent.id,
      payment_method: intent.paymentMethod,
      payment_method_details: {
        type: "card",
        card: {
          brand: "visa",
          country: "US",
          exp_month: 12,
          exp_year: 2034,
          funding: "credit",
          last4: "4242",
          network: "visa",
          ...(intent.status === "requires_capture"
            ? { capture_before: toSeconds(chargeTimeMs + AUTHORIZATION_MS) }
            : {}),
        },
      },
      receipt_email: null,
      receipt_number: null,
      receipt_url: null,
      refunded: !isDeclined && refunded > 0n && (isCanceled || refunded === intent.captured),
      review: null,
      shipping: null,
      source: null,
      source_transfer: null,
      statement_descriptor: null,
      statement_descriptor_suffix: null,
      status: isDeclined ? "failed" : "succeeded",
      transfer_data: null,
      transfer_group: null,
    };
  }

  return {
    intent: toIntent,
    charge: toCharge,
    refund: (refund, intent, expand) => ({
      id: refund.id,
      object: "refund",
      amount: toStripeUnits(refund.minorUnits, intent.currencyCode),
      balance_transaction: null,
      charge: isExpanded(expand, "charge")
        ? toCharge(intent, below(expand, "charge"))
        : chargeIdOf(intent),
      created: toSeconds(refund.createTimeMs),
      currency: intent.currencyCode.toLowerCase(),
      customer: null,
      customer_account: null,
      destination_details: { type: "card", card: { type: "refund" } },
      metadata: { ...refund.metadata },
      payment_intent: isExpanded(expand, "payment_intent")
        ? toIntent(intent, below(expand, "payment_intent"))
        : intent.id,
      payment_method: null,
      reason: refund.reason || null,
      receipt_number: null,
      source_transfer_reversal: null,
      status: "succeeded",
      transfer_reversal: null,
    }),
  };
}

export const DECLINED_MESSAGE = "Your card was declined.";

// Declines that are an error code of their own; all others are `card_declined`.
const CODES: ReadonlySet<string> = new Set([
  "authentication_required",
  "expired_card",
  "incorrect_cvc",
  "payment_intent_authentication_failure",
  "processing_error",
]);

/** The error code of a decline. */
export function codeOfDecline(declineCode: string): string {
  return CODES.has(declineCode) ? declineCode : "card_declined";
}

/** The charge of an intent; there is one at most. */
export function chargeIdOf({ id }: Intent): string {
  return id.replace(/^pi_/, "ch_");
}

export function intentIdOfCharge(id: string): string {
  return id.replace(/^ch_/, "pi_");
}

export function clientSecretOf({ id }: Intent): string {
  return `${id}_secret_sandbox`;
}

function lastError(intent: Intent): JsonValue {
  const { declineCode, chargeTimeMs } = intent;
  if (declineCode === undefined) {
    return null;
  }
  return {
    type: chargeTimeMs === undefined ? "invalid_request_error" : "card_error",
    code: codeOfDecline(declineCode),
    message: DECLINED_MESSAGE,
    ...(chargeTimeMs === undefined
      ? {}
      : { decline_code: declineCode, charge: chargeIdOf(intent) }),
    payment_method: { id: intent.paymentMethod, object: "payment_method", type: "card" },
  };
}

function nextAction({ status, id, returnUrl }: Intent, baseUrl: string): JsonValue {
  if (status !== "requires_action") {
    return null;
  }
  const url = `${baseUrl}/sandbox/payment_intents/${id}/authenticate`;
  return returnUrl === undefined
    ? {
        type: "use_stripe_sdk",
        use_stripe_sdk: { type: "three_d_secure_redirect", stripe_js: url },
      }
    : { type: "redirect_to_url", redirect_to_url: { url, return_url: returnUrl } };
}

function isExpanded(expand: readonly string[], field: string): boolean {
  return expand.some((path) => path === field || path.startsWith(`${field}.`));
}

/** What is to be expanded within an object that is expanded itself. */
function below(expand: readonly string[], field: string): readonly string[] {
  return expand.flatMap((path) =>
    path.startsWith(`${field}.`) ? [path.slice(field.length + 1)] : [],
  );
}

function toSeconds(timeMs: number): number {
  return Math.floor(timeMs / 1_000);
}
