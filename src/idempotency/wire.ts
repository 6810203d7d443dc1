// Protobuf's wire format: https://protobuf.dev/programming-guides/encoding/

/** A field of a message, by its number: a small number as a varint, anything else behind its length. */
export type WireField = readonly [number: number, value: number | string | Uint8Array];

/** No number here is longer: tags below 16, and values of 32 bits. Bytes. */
const MAX_VARINT_BYTES = 5;

/**
 * Encodes fields in the order they are given. For the few messages that every
 * call stores: the writer for any message takes many times as long. Numbers are
 * integers from 0 to 2^31 - 1, field numbers below 16.
 */
export function encodeFields(fields: readonly WireField[]): Uint8Array {
  let capacity = 0;
  for (const [, value] of fields) {
    capacity += 1 + MAX_VARINT_BYTES + (typeof value === "number" ? 0 : byteLength(value));
  }
  const target = Buffer.allocUnsafe(capacity);
  let end = 0;
  for (const [number, value] of fields) {
    if (typeof value === "number") {
      target[end] = (number << 3) | VARINT;
      end = writeVarint(target, end + 1, value);
    } else {
      target[end] = (number << 3) | LENGTH_DELIMITED;
      end = writeVarint(target, end + 1, byteLength(value));
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

const VARINT = 0;
const LENGTH_DELIMITED = 2;

function byteLength(value: string | Uint8Array): number {
  return typeof value === "string" ? Buffer.byteLength(value, "utf8") : value.length;
}

/** Returns where the next byte goes. */
function writeVarint(target: Buffer, at: number, value: number): number {
  let rest = value;
  let end = at;
  for (; rest > 0x7f; rest >>>= 7) {
    target[end] = (rest & 0x7f) | 0x80;
    end += 1;
  }
  target[end] = rest;
  return end + 1;
}
