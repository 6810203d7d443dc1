import { toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StoredOutcomeSchema } from "../../../src/gen/payonce/idempotency/v1/outcome_pb.js";
import { Code } from "../../../src/idempotency/answers/code.js";
import {
  classify,
  decodeOutcome,
  encodeOutcome,
  type MetadataEntry,
  type Outcome,
  type OutcomeClass,
  okOutcome,
  toStoredOutcome,
} from "../../../src/idempotency/port/outcome.js";
import { PROPERTY_TIMEOUT_MS } from "../../fixtures/property.js";

const anyBytes = fc.uint8Array().map((array) => new Uint8Array(array));

const anyMetadata: fc.Arbitrary<MetadataEntry[]> = fc.array(
  fc.oneof(
    fc.tuple(fc.stringMatching(/^[a-z]{1,8}$/), fc.string()),
    fc.tuple(fc.stringMatching(/^[a-z]{1,8}-bin$/), anyBytes),
  ),
  { maxLength: 4 },
);

const anyOutcome: fc.Arbitrary<Outcome> = fc.record(
  {
    code: fc.constantFrom(...Object.values(Code)),
    message: fc.string({ unit: "grapheme" }),
    headers: anyMetadata,
    body: anyBytes,
    trailers: anyMetadata,
  },
  { noNullPrototype: true },
);

describe("a stored outcome", { timeout: PROPERTY_TIMEOUT_MS }, () => {
  it("comes back as it was", () => {
    fc.assert(
      fc.property(anyOutcome, (outcome) => {
        expect(decodeOutcome(encodeOutcome(outcome))).toStrictEqual(outcome);
      }),
    );
  });

  it("is the message that the schema describes", () => {
    fc.assert(
      fc.property(anyOutcome, (outcome) => {
        const message = toStoredOutcome(outcome);
        expect(encodeOutcome(outcome)).toStrictEqual(toBinary(StoredOutcomeSchema, message));
      }),
    );
  });

  it("is refused if it was cut", () => {
    const encoded = encodeOutcome(okOutcome(new Uint8Array(10)));
    expect(() => decodeOutcome(encoded.subarray(0, -1))).toThrow();
  });

  it("never reads as an OK what this build does not know as a code", () => {
    expect(decodeOutcome(new Uint8Array([0x08, 99])).code).toBe(Code.UNKNOWN);
  });
});

describe("what an outcome means for its key", () => {
  // By code: on a first attempt, then on a later one.
  const undeclared: Record<keyof typeof Code, readonly [OutcomeClass, OutcomeClass]> = {
    OK: ["final", "final"],
    CANCELLED: ["unknown", "unknown"],
    UNKNOWN: ["unknown", "unknown"],
    INVALID_ARGUMENT: ["not_executed", "unknown"],
    DEADLINE_EXCEEDED: ["unknown", "unknown"],
    NOT_FOUND: ["final", "unknown"],
    ALREADY_EXISTS: ["final", "unknown"],
    PERMISSION_DENIED: ["not_executed", "unknown"],
    RESOURCE_EXHAUSTED: ["unknown", "unknown"],
    FAILED_PRECONDITION: ["final", "unknown"],
    ABORTED: ["unknown", "unknown"],
    OUT_OF_RANGE: ["final", "unknown"],
    UNIMPLEMENTED: ["not_executed", "unknown"],
    INTERNAL: ["unknown", "unknown"],
    UNAVAILABLE: ["unknown", "unknown"],
    DATA_LOSS: ["unknown", "unknown"],
    UNAUTHENTICATED: ["not_executed", "unknown"],
  };
  // Object.entries forgets the names' type.
  const rows = Object.entries(undeclared) as [keyof typeof Code, [OutcomeClass, OutcomeClass]][];

  it.each(rows)("%s alone is %j", (name, [first, later]) => {
    expect(classify(Code[name], undefined, 1)).toBe(first);
    expect(classify(Code[name], undefined, 2)).toBe(later);
  });

  it.each(rows)("%s is what the handler declares, on every attempt", (name) => {
    for (const attempt of [1, 2]) {
      expect(classify(Code[name], "final", attempt)).toBe("final");
      const expected = name === "OK" ? "final" : "not_executed";
      expect(classify(Code[name], "not_executed", attempt)).toBe(expected);
    }
  });
});
