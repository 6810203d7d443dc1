import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Code } from "../../../src/idempotency/answers/code.js";
import { type KeyReading, readKey } from "../../../src/idempotency/request/key.js";
import { PROPERTY_TIMEOUT_MS } from "../../fixtures/property.js";

const anyKey = fc
  .array(fc.integer({ min: 0x21, max: 0x7e }), { minLength: 1, maxLength: 255 })
  .map((codes) => String.fromCharCode(...codes));

function fromMetadata(...metadata: string[]): KeyReading {
  return readKey({ metadata, field: undefined });
}

function fromField(value: string): KeyReading {
  return readKey({ metadata: [], field: { name: "request_key", value } });
}

function fromBoth(metadata: string, value: string): KeyReading {
  return readKey({ metadata: [metadata], field: { name: "request_key", value } });
}

function quoted(key: string): string {
  return `"${key.replace(/["\\]/g, "\\$&")}"`;
}

function refusalOf(reading: KeyReading): object | undefined {
  return reading.kind === "refused" ? reading.error : undefined;
}

describe("a key", { timeout: PROPERTY_TIMEOUT_MS }, () => {
  it("is found in the metadata, bare or quoted, and in the field as it is", () => {
    fc.assert(
      fc.property(anyKey, (key) => {
        const found = { kind: "key", key };
        expect(fromField(key)).toStrictEqual(found);
        expect(fromMetadata(quoted(key))).toStrictEqual(found);
        expect(fromBoth(quoted(key), key)).toStrictEqual(found);
        if (!key.startsWith('"')) {
          expect(fromMetadata(key)).toStrictEqual(found);
        }
      }),
    );
  });

  it("is missing where neither has it", () => {
    expect(fromMetadata()).toStrictEqual({ kind: "missing" });
    expect(readKey({ metadata: [] })).toStrictEqual({ kind: "missing" });
    expect(fromField("")).toStrictEqual({ kind: "missing" });
  });

  it("may be in the metadata beside an empty field", () => {
    expect(fromBoth("abc", "")).toStrictEqual({ kind: "key", key: "abc" });
  });
});

describe("a key in the metadata", () => {
  it.each<[value: string, key: string]>([
    ["abc", "abc"],
    ['"abc"', "abc"],
    ["!", "!"],
    ["~", "~"],
    ['a"b', 'a"b'],
    ["a\\b", "a\\b"],
    ["a,b;c=d", "a,b;c=d"],
    ['"a\\"b"', 'a"b'],
    ['"a\\\\b"', "a\\b"],
    ['"a\\\\\\"b"', 'a\\"b'],
    ['"\\""', '"'],
  ])("%s is %s", (value, key) => {
    expect(fromMetadata(value)).toStrictEqual({ kind: "key", key });
  });

  it("may have 255 characters, quotes and escapes not counted", () => {
    for (const key of ["x".repeat(255), '"'.repeat(255)]) {
      expect(fromMetadata(quoted(key))).toStrictEqual({ kind: "key", key });
    }
    expect(fromMetadata("x".repeat(255)).kind).toBe("key");
  });

  it.each<[what: string, values: string[]]>([
    ["that is empty", [""]],
    ["that is empty within its quotes", ['""']],
    ["of 256 characters", ["x".repeat(256)]],
    ["of 256 quoted characters", [`"${"x".repeat(256)}"`]],
    ["with a space", ["a b"]],
    ["with a space within its quotes", ['"a b"']],
    ["with a space at its end", ["a "]],
    ["with a tab", ["a\tb"]],
    ["with a line break", ["a\nb"]],
    ["with a line break at its end", ["a\n"]],
    ["with a line break after its quotes", ['"a"\n']],
    ["with a null character", ["a\0"]],
    ["with DEL", ["a\x7f"]],
    ["with DEL within its quotes", ['"a\x7f"']],
    ["outside ASCII", ["schl\u00fcssel"]],
    ["outside ASCII within its quotes", ['"\u2713"']],
    ["of one quote", ['"']],
    ["without the closing quote", ['"abc']],
    ["whose closing quote is escaped", ['"abc\\"']],
    ["with an escape of another character", ['"a\\bc"']],
    ["with a quote inside of its quotes", ['"a"b"']],
    ["with parameters", ['"abc";a=1']],
    ["that is a list", ['"abc", "def"']],
    ["joined from two entries", ["abc, abc"]],
    ["sent twice", ["abc", "def"]],
    ["sent twice alike", ["abc", "abc"]],
  ])("is refused %s", (_what, values) => {
    expect(refusalOf(fromMetadata(...values))).toMatchObject({
      reason: "IDEMPOTENCY_KEY_INVALID",
      code: Code.INVALID_ARGUMENT,
      next: "fix_request",
      field: "idempotency-key",
    });
  });

  it("is refused also where the field has a good one", () => {
    expect(refusalOf(fromBoth("a b", "abc"))).toMatchObject({ field: "idempotency-key" });
  });
});

describe("a key in the request's field", () => {
  it("keeps its quotes", () => {
    expect(fromField('"abc"')).toStrictEqual({ kind: "key", key: '"abc"' });
  });

  it("may have 255 characters", () => {
    expect(fromField("x".repeat(255))).toStrictEqual({ kind: "key", key: "x".repeat(255) });
  });

  it.each<[what: string, value: string]>([
    ["of 256 characters", "x".repeat(256)],
    ["with a space", "a b"],
    ["with a line break at its end", "a\n"],
    ["with DEL", "a\x7f"],
    ["outside ASCII", "\u{1f511}"],
  ])("is refused %s", (_what, value) => {
    expect(refusalOf(fromField(value))).toMatchObject({
      reason: "IDEMPOTENCY_KEY_INVALID",
      code: Code.INVALID_ARGUMENT,
      field: "request_key",
    });
  });
});

describe("two keys", () => {
  it.each<[metadata: string, field: string]>([
    ["abc", "abd"],
    ["abc", "ABC"],
    ['"abc"', '"abc"'],
  ])("that disagree are refused: %s in the metadata, %s in the field", (metadata, field) => {
    expect(refusalOf(fromBoth(metadata, field))).toMatchObject({
      reason: "IDEMPOTENCY_KEY_CONFLICT",
      code: Code.INVALID_ARGUMENT,
      next: "fix_request",
      field: "request_key",
    });
  });
});

describe("a refusal", { timeout: PROPERTY_TIMEOUT_MS }, () => {
  it("says what is accepted and repeats nothing of what was sent", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary" }),
        fc.string({ unit: "binary" }),
        (metadata, field) => {
          const reading = fromBoth(`\u0007${metadata}`, `\u0007${field}`);
          const { message } = reading.kind === "refused" ? reading.error : { message: "" };
          expect(message).toMatch(/^[ -~]*1 to 255 characters[ -~]*0x21 to 0x7E[ -~]*$/);
        },
      ),
    );
  });
});
