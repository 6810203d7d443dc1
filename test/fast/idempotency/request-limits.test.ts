import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fingerprintOf } from "../../../src/idempotency/request/fingerprint.js";
import { checkRequest, RequestInvalid } from "../../../src/idempotency/request/request-limits.js";
import { KindsSchema } from "../../fixtures/gen/payonce/test/v1/kinds_pb.js";
import { LegacySchema } from "../../fixtures/gen/payonce/test/v1/legacy_pb.js";
import { anyKinds } from "../../fixtures/kinds.js";
import { PROPERTY_TIMEOUT_MS } from "../../fixtures/property.js";
import { choicesFrom, reencode } from "../../fixtures/reencode.js";

/** What a transport accepts at most. Bytes. */
const LARGEST = 4 * 1024 * 1024;

/** What our service accepts at most, where it is texts. Bytes. */
const LARGEST_TEXTS = 256 * 1024;

/** How long one request may hold up all others. Milliseconds. */
const BLOCKING_LIMIT_MS = 50;

const check = (bytes: Uint8Array) => checkRequest(KindsSchema, bytes);

/** All that happens to a request's bytes before its handler. */
function receive(bytes: Uint8Array): void {
  check(bytes);
  const message = fromBinary(KindsSchema, bytes);
  fingerprintOf({ operation: "call", desc: KindsSchema, message, bytes });
}

function numberOf(name: string): number {
  const field = KindsSchema.fields.find((candidate) => candidate.name === name);
  if (field === undefined) {
    throw new RangeError(`no field ${name}`);
  }
  return field.number;
}

function repeated(piece: Uint8Array, size = LARGEST): Uint8Array {
  const bytes = new Uint8Array(Math.floor(size / piece.length) * piece.length);
  for (let at = 0; at < bytes.length; at += piece.length) {
    bytes.set(piece, at);
  }
  return bytes;
}

const delimited = (number: number, content: Uint8Array) =>
  new BinaryWriter().tag(number, WireType.LengthDelimited).bytes(content).finish();

/** Messages of one field each, one in the other. */
function nested(depth: number): Uint8Array {
  let bytes: Uint8Array = new Uint8Array();
  for (let level = 1; level < depth; level += 1) {
    bytes = delimited(numberOf("child"), bytes);
  }
  return bytes;
}

describe("a request within the bounds", { timeout: PROPERTY_TIMEOUT_MS }, () => {
  it("is accepted as it was encoded by whichever encoder, and refused when it is cut", () => {
    const anyChoices = fc.nat().map(choicesFrom);
    fc.assert(
      fc.property(anyKinds, anyChoices, fc.nat(), (init, choose, cut) => {
        const sent = toBinary(KindsSchema, create(KindsSchema, init));
        const bytes = reencode(KindsSchema, sent, choose);
        check(bytes);
        const shorter = bytes.subarray(0, cut % (bytes.length + 1));
        const isReadable = accepts(() => fromBinary(KindsSchema, shorter));
        expect(accepts(() => check(shorter)) || !isReadable).toBe(true);
      }),
    );
  });

  it("may hold groups, and what the schema does not know", () => {
    const group = new BinaryWriter()
      .tag(1_000, WireType.StartGroup)
      .tag(1, WireType.StartGroup)
      .tag(1, WireType.EndGroup)
      .tag(1_000, WireType.EndGroup)
      .tag(1_001, WireType.Varint)
      .uint64((1n << 64n) - 1n)
      .tag(1_002, WireType.Bit64)
      .fixed64(1n)
      .finish();
    checkRequest(LegacySchema, group);
    expect(() => checkRequest(LegacySchema, group.subarray(0, 3))).toThrow(RequestInvalid);
  });

  it("nests as deep as the bound, and no deeper", () => {
    check(nested(100));
    expect(() => check(nested(101))).toThrow("nest more than 100 deep");
  });

  it("has as many fields as the bound, and no more", () => {
    const field = new BinaryWriter().tag(9_999, WireType.Varint).uint32(1).finish();
    check(repeated(field, 10_000 * field.length));
    expect(() => check(repeated(field, 10_001 * field.length))).toThrow("10000 fields");
  });
});

describe("a known field of another wire type, which the decoder would read as its own", () => {
  const field = (wireType: WireType, ...bytes: readonly number[]) =>
    new Uint8Array([...new BinaryWriter().tag(numberOf("string"), wireType).finish(), ...bytes]);

  it.each([
    ["four bytes that are a text", field(WireType.Bit32, 3, 0x61, 0xff, 0x61)],
    ["eight bytes that are a text", field(WireType.Bit64, 7, 0xff, 0, 0, 0, 0, 0, 0)],
    ["a varint that is the length of a text", field(WireType.Varint, 0)],
    ["a group", field(WireType.StartGroup, ...field(WireType.EndGroup))],
  ])("is refused: %s", (_, bytes) => {
    expect(() => check(bytes)).toThrow(RequestInvalid);
  });

  it("hides no fields from the bounds", () => {
    const field = new BinaryWriter().tag(9_999, WireType.Varint).uint32(1).finish();
    const hidden = delimited(9_999, repeated(field, 20_000 * field.length));
    const head = hidden.length - 20_000 * field.length;
    // Four bytes to who believes the wire type; to the decoder, bytes that end where the hidden fields begin.
    const blob = new BinaryWriter().tag(numberOf("bytes"), WireType.Bit32).finish();
    const bytes = new Uint8Array([...blob, 3 + head, 0, 0, 0, ...hidden]);
    expect(fromBinary(KindsSchema, bytes).$unknown).toHaveLength(20_000);
    expect(() => check(bytes)).toThrow(RequestInvalid);
  });

  it.each([
    ["sint32s", [1, 0x80]],
    ["doubles", [0, 0, 0, 0]],
  ])("is refused where packed numbers end within one: %s", (name, content) => {
    const bytes = delimited(numberOf(name), new Uint8Array(content));
    expect(() => check(bytes)).toThrow(RequestInvalid);
  });

  it("is refused in the entry of a map too", () => {
    const key = new BinaryWriter().tag(1, WireType.Bit32).fixed32(0).finish();
    expect(() => check(delimited(numberOf("string_map"), key))).toThrow(RequestInvalid);
  });
});

describe("a text that is not UTF-8", () => {
  const broken = new Uint8Array([0x61, 0xff]);
  it.each(["string", "strings"])("is refused by the name of its field: %s", (name) => {
    expect(() => check(delimited(numberOf(name), broken))).toThrow(`${name} must be valid UTF-8`);
  });

  it("is what bytes may be", () => {
    check(delimited(numberOf("bytes"), broken));
  });
});

const floods: readonly (readonly [string, Uint8Array])[] = [
  ["unknown numbers", repeated(new BinaryWriter().tag(9_999, WireType.Varint).uint32(1).finish())],
  ["unknown empty groups", repeated(emptyGroup())],
  ["items of a list", repeated(delimited(numberOf("strings"), new Uint8Array()))],
  ["packed numbers", delimited(numberOf("sint32s"), new Uint8Array(LARGEST - 16))],
  ["packed doubles", delimited(numberOf("doubles"), new Uint8Array(LARGEST - 16))],
  ["one message sent in pieces", repeated(delimited(numberOf("child"), new Uint8Array()))],
  ["messages in messages", nested(10_000)],
  ["one long text", delimited(numberOf("string"), new Uint8Array(LARGEST_TEXTS).fill(0x61))],
  [
    "one long text of other scripts",
    delimited(numberOf("string"), repeated(utf8("あ"), LARGEST_TEXTS)),
  ],
  ["bytes", delimited(numberOf("bytes"), new Uint8Array(LARGEST - 16))],
  ["varints that never end", new Uint8Array(LARGEST).fill(0x80)],
];

function emptyGroup(): Uint8Array {
  const writer = new BinaryWriter().tag(9_999, WireType.StartGroup);
  return writer.tag(9_999, WireType.EndGroup).finish();
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

describe("a request as large as a server accepts", () => {
  it.each(floods)("is read or refused in %s at once", (_, bytes) => {
    const times = [0, 1, 2].map(() => {
      const start = process.cpuUsage();
      accepts(() => receive(bytes));
      const { user, system } = process.cpuUsage(start);
      return (user + system) / 1_000;
    });
    // Of this process alone, since the machine may be busy; other threads of it not three times in a row.
    expect(Math.min(...times)).toBeLessThan(BLOCKING_LIMIT_MS);
  });
});

function accepts(work: () => unknown): boolean {
  try {
    work();
    return true;
  } catch {
    return false;
  }
}
