import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decodeFields,
  encodeFields,
  unlessDefault,
  type WireField,
} from "../../../src/idempotency/request/wire.js";
import { PROPERTY_TIMEOUT_MS } from "../../fixtures/property.js";

/** Around each length at which a varint has one more byte, and around what bitwise operators see. */
const EDGES = [
  ...[7, 14, 21, 28, 35, 42, 49].flatMap((bits) => [2 ** bits - 1, 2 ** bits]),
  ...[0, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1],
];

/** Any UTF-16, also surrogates that stand alone. */
const anyText = fc
  .array(fc.oneof(fc.nat(0x7f), fc.nat(0xffff), fc.integer({ min: 0xd800, max: 0xdfff })), {
    maxLength: 300,
  })
  .map((units) => String.fromCharCode(...units));

const anyValue = fc.oneof(
  fc.constantFrom(...EDGES),
  fc.maxSafeNat(),
  fc.nat(),
  anyText,
  fc.string({ unit: "grapheme" }),
  fc.uint8Array({ maxLength: 300 }),
);

const anyField: fc.Arbitrary<WireField> = fc.tuple(fc.integer({ min: 1, max: 15 }), anyValue);

/** As protobuf's own writer has it. */
function written(fields: readonly WireField[]): Uint8Array {
  const writer = new BinaryWriter();
  for (const [number, value] of fields) {
    if (typeof value === "number") {
      writer.tag(number, WireType.Varint).uint64(BigInt(value));
    } else {
      writer.tag(number, WireType.LengthDelimited);
      typeof value === "string" ? writer.string(value) : writer.bytes(value);
    }
  }
  return writer.finish();
}

/** Reads fields, each as the kind of value that is expected there. */
function read(encoded: Uint8Array, kinds: readonly WireField[]): [number, unknown][] {
  const reader = new BinaryReader(encoded);
  const fields = kinds.map(([, kind]): [number, unknown] => {
    const [number, wireType] = reader.tag();
    if (typeof kind === "number") {
      expect(wireType).toBe(WireType.Varint);
      return [number, Number(reader.uint64())];
    }
    expect(wireType).toBe(WireType.LengthDelimited);
    return [number, typeof kind === "string" ? reader.string() : [...reader.bytes()]];
  });
  expect(reader.pos).toBe(encoded.length);
  return fields;
}

function asRead([number, value]: WireField): [number, unknown] {
  if (typeof value === "number") {
    return [number, value];
  }
  return [number, typeof value === "string" ? value.toWellFormed() : [...value]];
}

describe("encoded fields", { timeout: PROPERTY_TIMEOUT_MS }, () => {
  it.each(EDGES)("hold %i as protobuf writes and reads it", (value) => {
    const encoded = encodeFields([[1, value]]);
    expect(encoded).toStrictEqual(written([[1, value]]));
    expect(read(encoded, [[1, value]])).toEqual([[1, value]]);
  });

  it("are the bytes that protobuf's own writer makes of them", () => {
    fc.assert(
      fc.property(fc.array(anyField), (fields) => {
        expect(encodeFields(fields)).toStrictEqual(written(fields));
      }),
    );
  });

  it("come back from protobuf's own reader in their order", () => {
    fc.assert(
      fc.property(fc.array(anyField), (fields) => {
        expect(read(encodeFields(fields), fields)).toEqual(fields.map(asRead));
      }),
    );
  });

  it.each([
    ["no text", ""],
    ["no bytes", new Uint8Array()],
    ["a long text", "é".repeat(10_000)],
    ["long bytes", new Uint8Array(20_000).fill(7)],
    ["a surrogate that stands alone", "a\ud800b"],
  ] satisfies [string, string | Uint8Array][])("hold %s", (_, value) => {
    const fields: WireField[] = [
      [2, value],
      [15, 1],
    ];
    expect(encodeFields(fields)).toStrictEqual(written(fields));
  });

  it("leave out what is undefined, wherever it stands", () => {
    fc.assert(
      fc.property(fc.array(fc.option(anyField, { nil: undefined })), (fields) => {
        const present = fields.filter((field) => field !== undefined);
        expect(encodeFields(fields)).toStrictEqual(written(present));
      }),
    );
    expect(encodeFields([undefined])).toStrictEqual(new Uint8Array());
    expect(encodeFields([])).toStrictEqual(new Uint8Array());
  });

  it("stay as they are while others are encoded", () => {
    fc.assert(
      fc.property(fc.array(fc.array(anyField), { minLength: 2 }), (messages) => {
        expect(messages.map(encodeFields)).toStrictEqual(messages.map(written));
      }),
    );
  });
});

describe("a field without presence", () => {
  it.each([0, ""])("is left out with the value that its absence means: %j", (value) => {
    expect(unlessDefault(3, value)).toBeUndefined();
  });

  it.each([1, 2 ** 53 - 1, " ", "0", "\0"])("is there with any other: %j", (value) => {
    expect(unlessDefault(3, value)).toEqual([3, value]);
  });
});

describe("decoded fields", { timeout: PROPERTY_TIMEOUT_MS }, () => {
  const MAX_UINT32 = 2 ** 32 - 1;
  const decodable = anyField.filter(
    ([, value]) => typeof value !== "number" || value <= MAX_UINT32,
  );

  /** What of them is decoded, by their numbers: the last of each, texts as their bytes. */
  function byNumber(fields: readonly WireField[]): (number | number[] | undefined)[] {
    const values: (number | number[] | undefined)[] = [];
    for (const [number, value] of fields) {
      values[number] = typeof value === "number" ? value : [...Buffer.from(value)];
    }
    return Array.from(values);
  }

  /** Bytes as a list, so that any kind of array of them is the same. */
  function decoded(message: Uint8Array) {
    return Array.from(decodeFields(message), (value) =>
      value instanceof Uint8Array ? [...value] : value,
    );
  }

  it("are those that were encoded, the last one of each number", () => {
    fc.assert(
      fc.property(fc.array(decodable), (fields) => {
        expect(decoded(encodeFields(fields))).toEqual(byNumber(fields));
      }),
    );
    expect(
      decoded(
        encodeFields([
          [3, 1],
          [3, "last"],
        ]),
      ),
    ).toEqual(byNumber([[3, "last"]]));
  });

  it("are read past those of other types and larger numbers", () => {
    const others = new BinaryWriter();
    others.tag(1, WireType.Bit32).fixed32(7);
    others.tag(2, WireType.Bit64).fixed64(7n);
    others.tag(16, WireType.LengthDelimited).string("sixteen");
    others.tag(1_000, WireType.Varint).uint64(2n ** 63n);
    others.tag(4, WireType.StartGroup).tag(5, WireType.Varint).int32(1).tag(4, WireType.EndGroup);
    const unknown = others.finish();
    fc.assert(
      fc.property(fc.array(decodable), fc.array(decodable), (before, after) => {
        const message = Buffer.concat([encodeFields(before), unknown, encodeFields(after)]);
        expect(decoded(message)).toEqual(byNumber([...before, ...after]));
      }),
    );
  });

  it("are in the memory of the message", () => {
    const message = encodeFields([[1, "text"]]);
    const [, text] = decodeFields(message);
    message[message.length - 1] = "s".charCodeAt(0);
    expect(text).toStrictEqual(new Uint8Array(Buffer.from("texs")));
  });

  it("are refused where the message was cut, wherever", () => {
    fc.assert(
      fc.property(decodable, (field) => {
        const message = encodeFields([field]);
        for (let length = 1; length < message.length; length += 1) {
          expect(() => decodeFields(message.subarray(0, length))).toThrow();
        }
      }),
    );
  });

  it.each([
    ["the number 0", [0x00, 0x01]],
    ["a wire type that there is not", [0x0f, 0x01]],
    ["a varint without end", [0x08, ...Array(11).fill(0xff)]],
    ["a group that does not end", [0x0b]],
  ])("are refused with %s", (_, bytes) => {
    expect(() => decodeFields(new Uint8Array(bytes))).toThrow();
  });
});
