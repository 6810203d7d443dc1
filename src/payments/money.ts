import { isActiveCurrency } from "./currencies.js";
import { invalid } from "./errors.js";

/** An amount in the smallest unit of its currency: cents, or yen for JPY. */
export interface Money {
  readonly currencyCode: string;
  readonly minorUnits: bigint;
}

/** Far above any payment, and sums of many still fit 64 bits. */
export const MAX_MINOR_UNITS = 10n ** 15n;

/**
 * Reads the amount of a request.
 * @throws CallError AMOUNT_INVALID or CURRENCY_UNKNOWN.
 */
export function readMoney(money: Money | undefined): Money {
  if (money === undefined) {
    throw invalid("AMOUNT_INVALID", "amount", "must be present");
  }
  const { currencyCode, minorUnits } = money;
  if (minorUnits < 1n || minorUnits > MAX_MINOR_UNITS) {
    throw invalid("AMOUNT_INVALID", "amount.minor_units", `must be 1 to ${MAX_MINOR_UNITS}`);
  }
  if (!isActiveCurrency(currencyCode)) {
    throw invalid(
      "CURRENCY_UNKNOWN",
      "amount.currency_code",
      "must be an active ISO 4217 code in upper case, such as EUR",
    );
  }
  return { currencyCode, minorUnits };
}
