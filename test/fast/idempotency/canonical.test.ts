import { isDeepStrictEqual } from "node:util";
import {
  create,
  fromBinary,
  fromJsonString,
  type MessageInitShape,
  setExtension,
  toBinary,
  toJsonString,
} from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalBytes } from "../../../src/idempotency/request/canonical.js";
import {
  KindsSchema,
  OlderKindsSchema,
  TracedSchema,
} from "../../fixtures/gen/payonce/test/v1/kinds_pb.js";
import { LegacySchema, note, Size } from "../../fixtures/gen/payonce/test/v1/legacy_pb.js";
import { anyKinds, type KindsInit } from "../../fixtures/kinds.js";
import { PROPERTY_TIMEOUT_MS } from "../../fixtures/property.js";
import { choicesFrom, reencode, reorder } from "../../fixtures/reencode.js";

const anyChoices = fc.nat().map(choicesFrom);

function kinds(init: KindsInit): Uint8Array {
  return canonicalBytes(KindsSchema, create(KindsSchema, init));
}

function kindsFrom(bytes: Uint8Array): Uint8Array {
  return canonicalBytes(KindsSchema, fromBinary(KindsSchema, bytes));
}

describe("the canonical form of a message", { timeout: PROPERTY_TIMEOUT_MS }, () => {
  it("decodes to the message, so that no two messages share one", () => {
    fc.assert(
      fc.property(anyKinds, (init) => {
        const message = create(KindsSchema, init);
        const decoded = fromBinary(KindsSchema, canonicalBytes(KindsSchema, message));
        expect(decoded).toStrictEqual(message);
      }),
    );
  });

  it("is one for all encodings of a message", () => {
    fc.assert(
      fc.property(anyKinds, anyChoices, (init, choose) => {
        const sent = toBinary(KindsSchema, create(KindsSchema, init));
        expect(kindsFrom(reencode(KindsSchema, sent, choose))).toStrictEqual(kinds(init));
      }),
    );
  });

  it("is the same after a way through JSON", () => {
    fc.assert(
      fc.property(anyKinds, (init) => {
        const sent = create(KindsSchema, init);
        const received = fromJsonString(KindsSchema, toJsonString(KindsSchema, sent));
        fc.pre(isDeepStrictEqual(received, sent)); // JSON.stringify makes 0 of -0
        expect(canonicalBytes(KindsSchema, received)).toStrictEqual(kinds(init));
      }),
    );
  });

  it("is another one when any field has another value", () => {
    const anyChange = fc.tuple(anyKinds, anyKinds).chain(([before, other]) =>
      fc.constantFrom(...fieldNames(other)).map((name) => ({
        before,
        after: { ...before, [name]: other[name] },
      })),
    );
    fc.assert(
      fc.property(anyChange, ({ before, after }) => {
        fc.pre(!isDeepStrictEqual(create(KindsSchema, before), create(KindsSchema, after)));
        expect(kinds(after)).not.toStrictEqual(kinds(before));
      }),
    );
  });

  it("does not depend on which of the fields a build knows", () => {
    fc.assert(
      fc.property(anyKinds, anyChoices, (init, choose) => {
        const expected = kinds(init);
        const received = fromBinary(OlderKindsSchema, reorder(expected, choose));
        expect(canonicalBytes(OlderKindsSchema, received)).toStrictEqual(expected);
      }),
    );
  });
});

function fieldNames(init: KindsInit): (keyof KindsInit)[] {
  // Object.keys forgets the type; the names are those that `anyKinds` sets.
  const names = Object.keys(init) as (keyof KindsInit)[];
  return names.length === 0 ? ["int32"] : names;
}

describe("two messages that differ in little", () => {
  const withoutName: number = 1_000_000; // an open enum holds any number
  const different: [what: string, a: KindsInit, b: KindsInit][] = [
    ["numbers", { int32: 1 }, { int32: 2 }],
    ["the sign of a number", { sint64: 1n }, { sint64: -1n }],
    ["the last bit of 64", { uint64: 2n ** 64n - 1n }, { uint64: 2n ** 64n - 2n }],
    ["a long held as text", { int64Text: "9007199254740993" }, { int64Text: "9007199254740992" }],
    ["the last bit of a double", { double: 1 }, { double: 1 + Number.EPSILON }],
    ["0 and -0", { double: 0 }, { double: -0 }],
    ["0 and -0 in a float", { float: 0 }, { float: -0 }],
    ["0 and -0 in a list", { doubles: [0] }, { doubles: [-0] }],
    ["infinity and NaN", { double: Number.POSITIVE_INFINITY }, { double: Number.NaN }],
    ["strings", { string: "a" }, { string: "A" }],
    ["composed and combining characters", { string: "\u00e9" }, { string: "e\u0301" }],
    ["bytes", { bytes: new Uint8Array([0]) }, { bytes: new Uint8Array([0, 0]) }],
    ["a string and the same bytes", { string: "a" }, { bytes: new Uint8Array([0x61]) }],
    ["enum values", { color: 1 }, { color: 2 }],
    ["enum values without a name", { color: withoutName }, { color: withoutName + 1 }],
    ["absent and set to the default", {}, { optionalInt32: 0 }],
    ["absent and an empty string", {}, { optionalString: "" }],
    ["absent and false", {}, { optionalBool: false }],
    ["absent and an empty message", {}, { child: {} }],
    ["absent and a wrapped default", {}, { wrappedInt64: 0n }],
    ["absent and an empty Struct", {}, { struct: {} }],
    ["absent and the default in a oneof", {}, { choice: { case: "choiceInt32", value: 0 } }],
    [
      "the case of a oneof",
      { choice: { case: "choiceString", value: "a" } },
      { choice: { case: "otherChoiceString", value: "a" } },
    ],
    ["the order of a list", { strings: ["a", "b"] }, { strings: ["b", "a"] }],
    ["the length of a list", { sint32s: [1, 1] }, { sint32s: [1] }],
    ["a default at the end of a list", { bools: [true, false] }, { bools: [true] }],
    ["an empty item", { strings: [""] }, {}],
    ["where a list is cut into items", { strings: ["ab", "c"] }, { strings: ["a", "bc"] }],
    ["map keys", { stringMap: { a: "1" } }, { stringMap: { b: "1" } }],
    ["map values", { stringMap: { a: "1" } }, { stringMap: { a: "2" } }],
    ["swapped map values", { stringMap: { a: "1", b: "2" } }, { stringMap: { a: "2", b: "1" } }],
    ["an entry of defaults", { stringMap: { "": "" } }, {}],
    ["the depth of a value", { child: { int32: 1 } }, { child: { child: { int32: 1 } } }],
  ];

  it.each(different)("differ in their form: %s", (_what, a, b) => {
    expect(kinds(a)).not.toStrictEqual(kinds(b));
  });

  it("do not differ by the payload of a NaN", () => {
    const oddNaN = new BinaryWriter()
      .tag(1, WireType.Bit64)
      .fixed64(0xfff8_0000_0000_0001n)
      .finish();
    expect(kindsFrom(oddNaN)).toStrictEqual(kinds({ double: Number.NaN }));
  });
});

describe("the canonical bytes", () => {
  it.each<[what: string, init: KindsInit, hex: string]>([
    ["fields by number", { child: { int32: 5 }, int32: 1, bool: true }, "1801 6801 f20102 1805"],
    ["lists packed", { unpackedFixed32s: [1, 2] }, "b203 08 01000000 02000000"],
    [
      "map entries by encoded key, shorter keys first",
      { stringMap: { b: "", aa: "1", a: "" } },
      "b20405 0a0161 1200" + "b20405 0a0162 1200" + "b20407 0a026161 120131",
    ],
    [
      "keys and values of map entries at their defaults",
      { boolMap: { false: 0n } },
      "d20404 0800 1000",
    ],
  ])("hold %s", (_what, init, hex) => {
    expect(Buffer.from(kinds(init)).toString("hex")).toBe(hex.replaceAll(" ", ""));
  });
});

describe("fields that a build does not know", () => {
  const withUnknown = (...fields: [no: number, value: number][]) => {
    const writer = new BinaryWriter();
    for (const [no, value] of fields) {
      writer.tag(no, WireType.Varint).uint32(value);
    }
    return kindsFrom(writer.finish());
  };

  it("count, with their number, their value and their order within a number", () => {
    const forms = [
      withUnknown(),
      withUnknown([1000, 0]),
      withUnknown([1000, 1]),
      withUnknown([1001, 1]),
      withUnknown([1000, 1], [1000, 2]),
      withUnknown([1000, 2], [1000, 1]),
    ].map((form) => Buffer.from(form).toString("hex"));
    expect(new Set(forms).size).toBe(forms.length);
  });

  it("may come in any order of their numbers, and among known ones", () => {
    const expected = withUnknown([3, 7], [18, 1], [1000, 1], [1000, 2]);
    expect(withUnknown([1000, 1], [18, 1], [1000, 2], [3, 7])).toStrictEqual(expected);
    expect(Buffer.from(expected).toString("hex")).toBe("1807" + "900101" + "c03e01" + "c03e02");
  });

  it("may have numbers in more bytes than needed", () => {
    const padded = new Uint8Array([0xc0, 0x3e, 0x81, 0x80, 0x00]);
    expect(kindsFrom(padded)).toStrictEqual(withUnknown([1000, 1]));
  });
});

describe("a proto2 message", () => {
  const legacy = (init: MessageInitShape<typeof LegacySchema>) =>
    canonicalBytes(LegacySchema, create(LegacySchema, init));
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

  it("keeps a default that was set", () => {
    expect(hex(legacy({}))).toBe("");
    expect(hex(legacy({ count: 7 }))).toBe("1007");
  });

  it("has every list of numbers packed", () => {
    expect(hex(legacy({ numbers: [1, 2], packedNumbers: [3] }))).toBe("22020102" + "2a0103");
  });

  it("keeps groups", () => {
    const form = legacy({ item: { label: "a" }, entry: [{ label: "b" }, {}] });
    expect(hex(form)).toBe("330a016134" + "3b0a01623c" + "3b3c");
    const received = fromBinary(LegacySchema, form);
    expect(canonicalBytes(LegacySchema, received)).toStrictEqual(form);
    // Known to nobody, and in another order.
    const unknown = fromBinary(OlderKindsSchema, reorder(form, choicesFrom(3)));
    expect(canonicalBytes(OlderKindsSchema, unknown)).toStrictEqual(form);
  });

  it("keeps values of closed enums that this build does not know", () => {
    const received = fromBinary(LegacySchema, new Uint8Array([0x18, 99, 0x10, 7]));
    expect(received.size).toBe(Size.SMALL);
    expect(hex(canonicalBytes(LegacySchema, received))).toBe("1007" + "1863");
  });

  it("leaves such values out where their field is excluded", () => {
    const received = fromBinary(LegacySchema, new Uint8Array([0x40, 99, 0x10, 7]));
    expect(received.$unknown).toHaveLength(1);
    expect(hex(canonicalBytes(LegacySchema, received))).toBe("1007");
  });

  it("keeps extensions", () => {
    const message = create(LegacySchema, { count: 7 });
    setExtension(message, note, "a");
    expect(hex(canonicalBytes(LegacySchema, message))).toBe("1007" + "a2060161");
  });
});

describe("what does not count", () => {
  const traced = (init: MessageInitShape<typeof TracedSchema>) =>
    canonicalBytes(TracedSchema, create(TracedSchema, init), TracedSchema.field.idempotencyKey);

  it("is the key in its field", () => {
    expect(traced({ idempotencyKey: "a", text: "x" })).toStrictEqual(traced({ text: "x" }));
  });

  it("is not a field of that name in a nested message", () => {
    const withKey = traced({ child: { idempotencyKey: "a" } });
    expect(withKey).not.toStrictEqual(traced({ child: { idempotencyKey: "b" } }));
  });

  it("is the key only where it is named", () => {
    const [a, b] = ["a", "b"].map((idempotencyKey) =>
      canonicalBytes(TracedSchema, create(TracedSchema, { idempotencyKey })),
    );
    expect(a).not.toStrictEqual(b);
  });

  it("are excluded fields at any depth", () => {
    const nested = (traceId: string) => ({ traceId, text: "x", child: { traceId } });
    const message = (traceId: string) => ({
      ...nested(traceId),
      children: [nested(traceId)],
      namedChildren: { a: nested(traceId) },
    });
    expect(traced(message("1"))).toStrictEqual(traced(message("2")));
    expect(traced({ text: "x", traceId: "1" })).toStrictEqual(traced({ text: "x" }));
    expect(traced({ text: "x", traceId: "1" })).not.toStrictEqual(
      traced({ text: "y", traceId: "1" }),
    );
  });
});

describe("nesting", () => {
  const nested = (depth: number) => {
    let init: KindsInit = {};
    for (let level = 1; level < depth; level++) {
      init = level % 2 === 0 ? { child: init } : { childMap: { 1: init } };
    }
    return kinds(init);
  };

  it("is accepted up to 100 messages deep, and refused beyond", () => {
    expect(nested(100).length).toBeGreaterThan(0);
    expect(() => nested(101)).toThrow(RangeError);
  });
});
