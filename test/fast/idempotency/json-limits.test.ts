import { create, fromJsonString, toJsonString } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type CreatePaymentRequest,
  CreatePaymentRequestSchema,
} from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import { checkJsonRequest } from "../../../src/idempotency/request/json-limits.js";
import { RequestInvalid } from "../../../src/idempotency/request/request-limits.js";
import { KindsSchema } from "../../fixtures/gen/payonce/test/v1/kinds_pb.js";
import { anyKinds } from "../../fixtures/kinds.js";
import { PROPERTY_TIMEOUT_MS } from "../../fixtures/property.js";

/** What our service accepts at most. Bytes. */
const LARGEST = 256 * 1024;

/** How long one request may hold up all others. Milliseconds. */
const BLOCKING_LIMIT_MS = 50;

const encode = (json: string) => new TextEncoder().encode(json);
const check = (json: string) => checkJsonRequest(CreatePaymentRequestSchema, encode(json));
const amountOf = (minorUnits: string) =>
  `{"amount":{"currencyCode":"EUR","minorUnits":${minorUnits}},"paymentMethod":"tok_visa"}`;

function read(json: string): CreatePaymentRequest {
  check(json);
  return fromJsonString(CreatePaymentRequestSchema, json);
}

describe("an amount in JSON", () => {
  it.each(["1999", '"1999"', "0", '"0"', '"-5"', '"9223372036854775807"'])(
    "is what its decimal digits say: %s",
    (minorUnits) => {
      expect(read(amountOf(minorUnits)).amount?.minorUnits).toBe(
        BigInt(minorUnits.replaceAll('"', "")),
      );
    },
  );

  it.each([
    '"0x10"',
    '"0b101"',
    '"0o17"',
    '" 5"',
    '"5 "',
    '"+5"',
    '"05"',
    '"5.0"',
    '"5e2"',
    '""',
    "5.0",
    "5e2",
    "1E400",
    "999999999999999.99",
    "9007199254740993",
    `${"9".repeat(30)}`,
  ])("is refused in any other form: %s", (minorUnits) => {
    expect(() => check(amountOf(minorUnits))).toThrow(RequestInvalid);
  });

  it("is refused by the name of its field", () => {
    expect(() => check(amountOf('"0x10"'))).toThrow("amount.minorUnits must be a whole number");
    expect(() => check('{"amount":{"minor_units":"0x10"}}')).toThrow("amount.minor_units must be");
  });
});

describe("a text in JSON", () => {
  it("must be UTF-8, and hold whole characters", () => {
    const broken = Buffer.from('{"description":"a\xff"}', "latin1");
    expect(() => checkJsonRequest(CreatePaymentRequestSchema, broken)).toThrow("JSON in UTF-8");
    expect(() => check('{"description":"\\ud83d"}')).toThrow("description must hold whole");
    expect(() => check('{"metadata":{"\\ud83d":"1"}}')).toThrow("metadata must hold whole");
    expect(read('{"description":"\\ud83d\\ude00"}').description).toBe("😀");
  });
});

describe("a request in JSON", { timeout: PROPERTY_TIMEOUT_MS }, () => {
  it("is accepted as any message is written", () => {
    fc.assert(
      fc.property(anyKinds, (init) => {
        const json = toJsonString(KindsSchema, create(KindsSchema, init));
        checkJsonRequest(KindsSchema, encode(json));
      }),
    );
  });

  it.each(["", "{", "[]]", '{"a":}', "nul", '{"a":1}}'])("must be JSON: %s", (json) => {
    expect(() => check(json)).toThrow(RequestInvalid);
  });

  it.each([
    ["levels", "[".repeat(LARGEST)],
    ["levels of objects", '{"a":'.repeat(LARGEST / 5)],
    ["items", `{"x":[${"1,".repeat(LARGEST / 2 - 8)}1]}`],
    ["fields", `{${'"a":1,'.repeat(LARGEST / 6)}"b":1}`],
    ["digits", amountOf("9".repeat(LARGEST - 200))],
    ["digits of a text", amountOf(`"${"9".repeat(LARGEST - 200)}"`)],
    ["characters", `{"description":"${"あ".repeat(LARGEST / 4)}"}`],
    ["escapes", `{"description":"${"\\u3042".repeat(LARGEST / 8)}"}`],
    ["backslashes", `{"description":"${"\\".repeat(LARGEST)}`],
  ])("is read or refused at once, however many %s it has", (_, json) => {
    const times = [0, 1, 2].map(() => {
      const start = process.cpuUsage();
      try {
        read(json);
      } catch {
        // Refused is as good.
      }
      const { user, system } = process.cpuUsage(start);
      return (user + system) / 1_000;
    });
    // The machine may be busy with other things, though not three times in a row.
    expect(Math.min(...times)).toBeLessThan(BLOCKING_LIMIT_MS);
  });
});
