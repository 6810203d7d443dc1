import type { Money } from "../../src/payments/processors/index.js";

/** The decimals of the currencies that Oldbank takes: it is sent `12.34`, `1234` and `1.234`. */
const decimals: ReadonlyMap<string, number> = new Map([
  ["EUR", 2],
  ["USD", 2],
  ["JPY", 0],
  ["KWD", 3],
]);

/** Returns why Oldbank takes no amount in a currency; undefined where it does. */
export function refusalOf({ currencyCode }: Money): string | undefined {
  return decimals.has(currencyCode)
    ? undefined
    : `currency accepts ${[...decimals.keys()].join(", ")}`;
}

/** Returns an amount as Oldbank is sent it. Without floating point: `0.1 + 0.2` is not money. */
export function toDecimal({ currencyCode, minorUnits }: Money): string {
  const places = placesOf(currencyCode);
  const digits = minorUnits.toString().padStart(places + 1, "0");
  const whole = digits.slice(0, digits.length - places);
  return places === 0 ? whole : `${whole}.${digits.slice(-places)}`;
}

/** Returns an amount as Oldbank tells it. */
export function fromDecimal(text: string, currencyCode: string): Money {
  const places = placesOf(currencyCode);
  const [whole = "", fraction = ""] = text.split(".");
  if (fraction.length !== places) {
    throw new Error(`an amount in ${currencyCode} has ${places} decimals, and this one is ${text}`);
  }
  return { currencyCode, minorUnits: BigInt(whole + fraction) };
}

function placesOf(currencyCode: string): number {
  const places = decimals.get(currencyCode);
  if (places === undefined) {
    throw new Error(`the decimals of ${currencyCode} are not known`);
  }
  return places;
}
