import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";

// Protobuf's wire format: https://protobuf.dev/programming-guides/encoding/

/** A field of a message, by its number: a safe integer that is not negative, a text, or bytes. */
export type WireField = readonly [number: number, value: number | string | Uint8Array];

/** The field, unless its value is 0 or empty: a number or a text without presence is absent then. */
export function unlessDefault(...field: WireField): WireField | undefined {
  const [, value] = field;
  return value === 0 || value === "" ? undefined : field;
}

/**
 * The fields of such a message by their numbers, integers of 32 bits and bytes
 * of the same memory; where one is there twice, the last. Others are left out.
 * @throws if it is not a message.
 */
export function decodeFields(message: Uint8Array): readonly (number | Uint8Array | undefined)[] {
  const reader = new BinaryReader(message);
  const fields: (number | Uint8Array | undefined)[] = [];
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (number <= MAX_FIELD_NUMBER && wireType === WireType.Varint) {
      fields[number] = reader.uint32();
    } else if (number <= MAX_FIELD_NUMBER && wireType === WireType.LengthDelimited) {
      fields[number] = reader.bytes();
    } else {
      reader.skip(wireType, number);
    }
  }
  return fields;
}

/** A tag takes one byte up to it, and no message that is decoded so has more fields. */
const MAX_FIELD_NUMBER = 15;

/** A tag takes as many bytes at most: it holds field numbers up to 2,047. */
const MAX_TAG_BYTES = 2;

/** The longest varint of a safe integer: 53 bits, 7 to a byte, are 8 bytes. */
const MAX_VARINT_BYTES = 8;

/**
 * Encodes fields in the order they are given, those that are not undefined. For the few messages that every
 * call stores: the writer for any message takes many times as long. The numbers
 * of fields are at most 2,047.
 */
export function encodeFields(given: readonly (WireField | undefined)[]): Uint8Array {
  const fields = given.filter((field) => field !== undefined);
  let capacity = 0;
  for (const [, value] of fields) {
    capacity +=
      MAX_TAG_BYTES + MAX_VARINT_BYTES + (typeof value === "number" ? 0 : byteLength(value));
  }
  const target = Buffer.allocUnsafe(capacity);
  let end = 0;
  for (const [number, value] of fields) {
    if (typeof value === "number") {
      end = writeVarint(target, end, (number << 3) | WireType.Varint);
      end = writeVarint(target, end, value);
    } else {
      end = writeVarint(target, end, (number << 3) | WireType.LengthDelimited);
      end = writeVarint(target, end, byteLength(value));
      if (typeof value === "string") {
        end += target.write(value, end, "utf8");
      } else {
        target.set(value, end);
        end += value.length;
      }
    }
  }
  return new Uint8Array(target.buffer, target.byteOffset, end);
}

function byteLength(value: string | Uint8Array): number {
  return typeof value === "string" ? Buffer.byteLength(value, "utf8") : value.length;
}

/** Returns where the next byte goes. */
function writeVarint(target: Buffer, at: number, value: number): number {
  let rest = value;
  let end = at;
  // Bitwise operators see 32 bits only.
  for (; rest > 0x7f; rest = Math.floor(rest / 0x80)) {
    target[end] = (rest % 0x80) | 0x80;
    end += 1;
  }
  target[end] = rest;
  return end + 1;
}
