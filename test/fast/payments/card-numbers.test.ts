import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { holdsCardNumber } from "../../../src/payments/card-numbers.js";
import { PROPERTY_TIMEOUT_MS } from "../../fixtures/property.js";

/** The test numbers that issuers and processors publish. */
const PUBLISHED = [
  "4111111111111111",
  "4012888888881881",
  "4222222222222",
  "5555555555554444",
  "5105105105105100",
  "2223003122003222",
  "378282246310005",
  "341111111111111",
  "6011111111111117",
  "6445644564456445",
  "6500000000000002",
  "30569309025904",
  "36227206271667",
  "38520000023237",
  "3530111333300000",
  "6200000000000005",
  "6759649826438453",
  "2200000000000004",
];

/** A number of this beginning and length, with the check digit that it needs. */
function withCheckDigit(beginning: string, length: number, digits: readonly number[]): string {
  const payload = (beginning + digits.join("")).slice(0, length - 1);
  const sum = [...payload].toReversed().reduce((total, digit, at) => {
    const value = Number(digit) * (at % 2 === 0 ? 2 : 1);
    return total + (value > 9 ? value - 9 : value);
  }, 0);
  return payload + String((10 - (sum % 10)) % 10);
}

const issuers = [
  ["4", 16],
  ["4", 19],
  ["51", 16],
  ["2221", 16],
  ["2720", 16],
  ["34", 15],
  ["6011", 16],
  ["65", 19],
  ["300", 14],
  ["36", 14],
  ["3589", 16],
  ["62", 17],
] as const;

const card = fc
  .tuple(
    fc.constantFrom(...issuers),
    fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 19, maxLength: 19 }),
  )
  .map(([[beginning, length], digits]) => withCheckDigit(beginning, length, digits));

/** As people and forms write it: in groups as on the card, or in one piece. */
const written = fc
  .tuple(
    card,
    fc.constantFrom("", " ", "-", ".", "\u00a0", "\u2011"),
    fc.constantFrom(0, 0xfee0, 0x630),
  )
  .map(([digits, separator, shift]) => {
    const lengths = { 14: [4, 6, 4], 15: [4, 6, 5], 16: [4, 4, 4, 4], 19: [4, 4, 4, 4, 3] };
    const groups = lengths[digits.length as keyof typeof lengths] ?? [digits.length];
    const shifted = [...digits].map((digit) => String.fromCharCode(digit.charCodeAt(0) + shift));
    return groups.map((length) => shifted.splice(0, length).join("")).join(separator);
  });

const before = fc.constantFrom("", " ", "card: ", "_", "(", "/", "№ ", "tok_");
const after = fc.constantFrom("", " ", " is my card", "_", ")", "/", "\n");

describe("a card number", () => {
  it.each(PUBLISHED)("%s is found", (digits) => {
    expect(holdsCardNumber(digits)).toBe(true);
    expect(holdsCardNumber(`card ${digits}, exp 12/27`)).toBe(true);
  });

  it("is found however it is written", { timeout: PROPERTY_TIMEOUT_MS }, () => {
    fc.assert(
      fc.property(before, written, after, (start, digits, end) => {
        expect(holdsCardNumber(`${start}${digits}${end}`)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it("is found before its expiry and its code", () => {
    expect(holdsCardNumber("4111 1111 1111 1111 12/27 123")).toBe(true);
    expect(holdsCardNumber("4111-1111-1111-1111-123")).toBe(true);
  });
});

describe("what is no card number", () => {
  it("any UUID", { timeout: PROPERTY_TIMEOUT_MS }, () => {
    const digitsOnly = fc
      .array(fc.integer({ min: 0, max: 9 }), { minLength: 32, maxLength: 32 })
      .map((digits) => digits.join("").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-"));
    fc.assert(
      fc.property(fc.oneof(fc.uuid(), digitsOnly), (uuid) => {
        expect(holdsCardNumber(uuid)).toBe(false);
        expect(holdsCardNumber(`order-${uuid}`)).toBe(false);
        expect(holdsCardNumber(uuid.replaceAll("-", ""))).toBe(false);
      }),
      { numRuns: 2_000 },
    );
  });

  it("any ULID, hash, or number within letters", { timeout: PROPERTY_TIMEOUT_MS }, () => {
    fc.assert(
      fc.property(fc.ulid(), card, fc.constantFrom("a", "é", "x1"), (ulid, digits, letters) => {
        expect(holdsCardNumber(ulid)).toBe(false);
        expect(holdsCardNumber(`${letters}${digits}`)).toBe(false);
        expect(holdsCardNumber(`${digits}${letters}`)).toBe(false);
        expect(holdsCardNumber(`1${digits}000000`)).toBe(false);
      }),
    );
  });

  it("times of these centuries in any unit", { timeout: PROPERTY_TIMEOUT_MS }, () => {
    const ms = fc.integer({ min: 1_000_000_000_000, max: 1_999_999_999_999 });
    fc.assert(
      fc.property(ms, fc.integer({ min: 0, max: 999_999 }), (time, below) => {
        expect(holdsCardNumber(`${time}`)).toBe(false);
        expect(holdsCardNumber(`${time}${String(below % 1_000).padStart(3, "0")}`)).toBe(false);
        expect(holdsCardNumber(`order-${time}${String(below).padStart(6, "0")}`)).toBe(false);
        const iso = new Date(time).toISOString();
        expect(holdsCardNumber(iso)).toBe(false);
        expect(holdsCardNumber(iso.replace(/\D/g, "").slice(0, 14))).toBe(false);
      }),
    );
  });

  it.each([
    "4111111111111112", // a wrong check digit
    "9111111111111111", // no issuer begins so
    "4006381333931", // below a barcode
    "41 11 11 11 11 11 11 11",
    "4111  1111  1111  1111 is written with a letter l: 41l1",
    "192.168.100.200 10.0.0.1",
    "+49 170 1234567",
    "",
  ])("%j", (text) => {
    expect(holdsCardNumber(text)).toBe(false);
  });
});
