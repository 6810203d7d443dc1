import type { Amount } from "../effect-request.js";
import { invalidRequest } from "./errors.js";

// Stripe counts these otherwise than ISO 4217 does: `stripe` units are worth
// `iso` minor units. docs.stripe.com/currencies, "special cases" and "zero-decimal".
const UNITS: ReadonlyMap<string, { readonly stripe: bigint; readonly iso: bigint }> = new Map([
  ["ISK", { stripe: 100n, iso: 1n }],
  ["UGX", { stripe: 100n, iso: 1n }],
  ["MGA", { stripe: 1n, iso: 100n }],
]);

/** Three decimals, the last of them 0. */
const ROUNDED_TO_TEN: ReadonlySet<string> = new Set(["BHD", "JOD", "KWD", "OMR", "TND"]);

/** "The amount value supports up to eight digits." */
const LARGEST = 99_999_999n;

/**
 * Reads an amount in Stripe's units; the journal has it in those of ISO 4217.
 * @throws StripeError 400 that names the parameter.
 */
export function amountFromStripe(units: bigint, currency: string, param = "amount"): Amount {
  const currencyCode = currency.toUpperCase();
  if (units < 1n) {
    throw invalidRequest("This value must be greater than or equal to 1.", {
      code: "parameter_invalid_integer",
      param,
    });
  }
  if (units > LARGEST) {
    throw invalidRequest(`Amount must be no more than ${LARGEST}`, {
      code: "amount_too_large",
      param,
    });
  }
  const { stripe, iso } = UNITS.get(currencyCode) ?? { stripe: 1n, iso: 1n };
  const step = ROUNDED_TO_TEN.has(currencyCode) ? 10n : stripe;
  if (units % step !== 0n) {
    throw invalidRequest(`Invalid amount: in ${currency} a multiple of ${step}`, { param });
  }
  return { currencyCode, minorUnits: (units / stripe) * iso };
}

/** An amount in Stripe's units. */
export function toStripeUnits(minorUnits: bigint, currencyCode: string): number {
  const { stripe, iso } = UNITS.get(currencyCode) ?? { stripe: 1n, iso: 1n };
  return Number((minorUnits / iso) * stripe);
}
