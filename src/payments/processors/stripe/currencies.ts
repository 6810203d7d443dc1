import type { Money } from "../../money.js";

/** A currency that Stripe counts in another way than ISO 4217, or not as freely. */
export interface SpecialCurrency {
  readonly currencyCode: string;
  /** The decimals of its minor unit by ISO 4217. */
  readonly decimals: number;
  /** The decimals of Stripe's unit; absent where Stripe's documents name none. */
  readonly stripeDecimals?: number;
  /** The minor units of which only multiples can be charged. */
  readonly multipleOf: bigint;
  readonly reason: string;
}

const BACKWARDS = "no decimals, but Stripe takes two for backwards compatibility, both 0";
const NETWORKS = "three decimals, of which the card networks that Stripe works with take two";
const PAYOUTS = "whole units in payouts only; charges have two decimals";
const UNLISTED = "three decimals, and not among the currencies that Stripe names";

/**
 * docs.stripe.com/currencies, "Zero-decimal currencies", "Three-decimal currencies" and "Special
 * cases"; the decimals of ISO 4217 are those of list one by SIX. All other currencies have the
 * same unit in both: BIF, CLP, DJF, GNF, JPY, KMF, KRW, PYG, RWF, VND, VUV, XAF, XOF and XPF no
 * decimals, and the rest two. Smallest and largest amounts are left to Stripe.
 */
export const specialCurrencies: readonly SpecialCurrency[] = [
  { currencyCode: "ISK", decimals: 0, stripeDecimals: 2, multipleOf: 1n, reason: BACKWARDS },
  { currencyCode: "UGX", decimals: 0, stripeDecimals: 2, multipleOf: 1n, reason: BACKWARDS },
  {
    currencyCode: "MGA",
    decimals: 2,
    stripeDecimals: 0,
    multipleOf: 100n,
    reason: "Stripe takes whole ariary",
  },
  { currencyCode: "HUF", decimals: 2, stripeDecimals: 2, multipleOf: 1n, reason: PAYOUTS },
  { currencyCode: "TWD", decimals: 2, stripeDecimals: 2, multipleOf: 1n, reason: PAYOUTS },
  ...["BHD", "JOD", "KWD", "OMR", "TND"].map((currencyCode) => ({
    currencyCode,
    decimals: 3,
    stripeDecimals: 3,
    multipleOf: 10n,
    reason: NETWORKS,
  })),
  { currencyCode: "IQD", decimals: 3, multipleOf: 1n, reason: UNLISTED },
  { currencyCode: "LYD", decimals: 3, multipleOf: 1n, reason: UNLISTED },
];

const byCode: ReadonlyMap<string, SpecialCurrency> = new Map(
  specialCurrencies.map((currency) => [currency.currencyCode, currency]),
);

/** Amounts are numbers in Stripe's package; past this they would not be exact. */
const LARGEST = BigInt(Number.MAX_SAFE_INTEGER);

/** Returns the reason in words why Stripe can never take an amount, if there is one. */
export function refusalOf({ currencyCode, minorUnits }: Money): string | undefined {
  const { multipleOf, stripeDecimals, reason } = byCode.get(currencyCode) ?? PLAIN;
  if (stripeDecimals === undefined) {
    return `Stripe charges no ${currencyCode}: ${reason}`;
  }
  if (minorUnits % multipleOf !== 0n) {
    return `in ${currencyCode} must be a multiple of ${multipleOf} minor units: ${reason}`;
  }
  return unitsOf({ currencyCode, minorUnits }) > LARGEST
    ? `is more than Stripe's own count of ${currencyCode} can hold`
    : undefined;
}

/**
 * Returns an amount in Stripe's units.
 * @throws RangeError where `refusalOf` has a reason.
 */
export function toStripe(amount: Money): number {
  const reason = refusalOf(amount);
  if (reason !== undefined) {
    throw new RangeError(`amount ${reason}`);
  }
  return Number(unitsOf(amount));
}

/**
 * Returns the amount of a number of Stripe's units, in a currency as Stripe writes it.
 * @throws RangeError if it is no whole number of minor units.
 */
export function fromStripe(units: number, currency: string): Money {
  const currencyCode = currency.toUpperCase();
  const { decimals, stripeDecimals = decimals } = byCode.get(currencyCode) ?? PLAIN;
  const scaled = BigInt(units) * 10n ** BigInt(decimals);
  const divisor = 10n ** BigInt(stripeDecimals);
  if (scaled % divisor !== 0n) {
    throw new RangeError(`Stripe's amount is no whole number of minor units of ${currencyCode}`);
  }
  return { currencyCode, minorUnits: scaled / divisor };
}

const PLAIN = { decimals: 0, stripeDecimals: 0, multipleOf: 1n, reason: "" };

function unitsOf({ currencyCode, minorUnits }: Money): bigint {
  const { decimals, stripeDecimals = decimals } = byCode.get(currencyCode) ?? PLAIN;
  return (minorUnits * 10n ** BigInt(stripeDecimals)) / 10n ** BigInt(decimals);
}
