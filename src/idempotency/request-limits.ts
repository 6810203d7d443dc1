import { isUtf8 } from "node:buffer";
import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { WireType } from "@bufbuild/protobuf/wire";

/** What a request may hold. Reading it then takes some milliseconds at the most, whatever it is. */
export interface RequestLimits {
  /** Fields, items of lists and entries of maps, at all depths together, those unknown to the schema among them. */
  readonly maxFields: number;
  /** How deep messages may nest, the outermost one counted. */
  readonly maxDepth: number;
}

/**
 * 10,000 fields are read, and recognised again, in 10 ms. Messages nest as deep
 * as other decoders accept by default.
 */
export const REQUEST_LIMITS: RequestLimits = { maxFields: 10_000, maxDepth: 100 };

/** A request that cannot be read, or that no caller can mean. */
export class RequestInvalid extends Error {
  override readonly name = "RequestInvalid";
}

/**
 * Looks through a serialized message before it is decoded: decoding makes an
 * object for each field, and what follows may sort them. Takes time only for
 * the fields, not for their lengths, and ends at the first bound that is passed.
 * @throws RequestInvalid if it is malformed, passes a bound, or holds a text
 * that is not UTF-8, which a decoder would change without a word.
 */
export function checkRequest(
  desc: DescMessage,
  bytes: Uint8Array,
  limits: RequestLimits = REQUEST_LIMITS,
): void {
  new RequestCheck(bytes, limits).message(desc, bytes.length, 1);
}

/** How a length-delimited field is looked into. */
type Inside =
  | { readonly kind: "message"; readonly desc: DescMessage }
  | { readonly kind: "map"; readonly value: Inside | undefined; readonly hasTextKey: boolean }
  | { readonly kind: "text"; readonly name: string }
  /** Packed numbers; `size` is that of one, 0 where it varies. */
  | { readonly kind: "numbers"; readonly size: number };

class RequestCheck {
  readonly #bytes: Uint8Array;
  readonly #limits: RequestLimits;
  #position = 0;
  #fields = 0;

  constructor(bytes: Uint8Array, limits: RequestLimits) {
    this.#bytes = bytes;
    this.#limits = limits;
  }

  /** A message up to `end`, or a group of the number `group` up to its end. */
  message(desc: DescMessage | undefined, end: number, depth: number, group = 0): void {
    if (depth > this.#limits.maxDepth) {
      throw new RequestInvalid(`messages nest more than ${this.#limits.maxDepth} deep`);
    }
    const fields = desc === undefined ? NO_FIELDS : insideOf(desc);
    while (this.#position < end) {
      const tag = this.#varint();
      const number = Math.floor(tag / 8);
      const wireType = tag % 8;
      if (wireType === WireType.EndGroup && group !== 0 && number === group) {
        return;
      }
      this.#count(1);
      switch (wireType) {
        case WireType.Varint:
          this.#varint();
          break;
        case WireType.Bit64:
          this.#skip(8);
          break;
        case WireType.Bit32:
          this.#skip(4);
          break;
        case WireType.LengthDelimited:
          this.#delimited(fields.get(number), depth);
          break;
        case WireType.StartGroup: {
          const inside = fields.get(number);
          const groupDesc = inside?.kind === "message" ? inside.desc : undefined;
          this.message(groupDesc, end, depth + 1, number);
          break;
        }
        default:
          throw malformed();
      }
    }
    if (this.#position !== end || group !== 0) {
      throw malformed();
    }
  }

  #delimited(inside: Inside | undefined, depth: number): void {
    const length = this.#varint();
    const start = this.#position;
    const end = start + length;
    if (end > this.#bytes.length) {
      throw malformed();
    }
    switch (inside?.kind) {
      case undefined:
        break;
      case "message":
        this.message(inside.desc, end, depth + 1);
        break;
      case "map":
        this.#entry(inside, end, depth + 1);
        break;
      case "text":
        if (!isUtf8(this.#bytes.subarray(start, end))) {
          throw new RequestInvalid(`${inside.name} must be valid UTF-8`);
        }
        break;
      case "numbers":
        this.#count(inside.size === 0 ? this.#countNumbers(end) : length / inside.size);
        break;
    }
    this.#position = end;
  }

  /** An entry of a map: key and value, and what else a sender put there. */
  #entry(
    { value, hasTextKey }: Inside & { readonly kind: "map" },
    end: number,
    depth: number,
  ): void {
    const fields = [undefined, hasTextKey ? MAP_KEY : undefined, value];
    while (this.#position < end) {
      const tag = this.#varint();
      this.#count(1);
      switch (tag % 8) {
        case WireType.Varint:
          this.#varint();
          break;
        case WireType.Bit64:
          this.#skip(8);
          break;
        case WireType.Bit32:
          this.#skip(4);
          break;
        case WireType.LengthDelimited:
          this.#delimited(fields[Math.floor(tag / 8)], depth);
          break;
        default:
          throw malformed();
      }
    }
    if (this.#position !== end) {
      throw malformed();
    }
  }

  #count(fields: number): void {
    this.#fields += fields;
    if (this.#fields > this.#limits.maxFields) {
      throw new RequestInvalid(
        `a request may have ${this.#limits.maxFields} fields, list items and map entries in all`,
      );
    }
  }

  /** Each number ends with the only one of its bytes whose first bit is not set. */
  #countNumbers(end: number): number {
    const most = this.#limits.maxFields - this.#fields;
    let count = 0;
    for (let position = this.#position; position < end && count <= most; position += 1) {
      count += (this.#bytes[position] ?? 0) < 0x80 ? 1 : 0;
    }
    return count;
  }

  #skip(length: number): void {
    this.#position += length;
    if (this.#position > this.#bytes.length) {
      throw malformed();
    }
  }

  /** Not exact past 2^53; a tag or a length that large is malformed, and a value does not matter. */
  #varint(): number {
    let value = 0;
    let factor = 1;
    for (let length = 1; length <= 10; length += 1) {
      const byte = this.#bytes[this.#position];
      if (byte === undefined) {
        throw malformed();
      }
      this.#position += 1;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) {
        return value;
      }
      factor *= 0x80;
    }
    throw malformed();
  }
}

const NO_FIELDS: ReadonlyMap<number, Inside> = new Map();
const MAP_KEY: Inside = { kind: "text", name: "the key of a map" };

function malformed(): RequestInvalid {
  return new RequestInvalid("the request is not a serialized message of its type");
}

const insides = new WeakMap<DescMessage, ReadonlyMap<number, Inside>>();

/** What the length-delimited fields of a message hold, by number; other fields are left out. */
function insideOf(desc: DescMessage): ReadonlyMap<number, Inside> {
  const made = insides.get(desc);
  if (made !== undefined) {
    return made;
  }
  const fields = new Map<number, Inside>();
  for (const field of desc.fields) {
    const inside = insideOfField(field);
    if (inside !== undefined) {
      fields.set(field.number, inside);
    }
  }
  insides.set(desc, fields);
  return fields;
}

function insideOfField(field: DescField): Inside | undefined {
  const { name } = field;
  switch (field.fieldKind) {
    case "message":
      return { kind: "message", desc: field.message };
    case "map":
      return {
        kind: "map",
        hasTextKey: field.mapKey === ScalarType.STRING,
        value:
          field.mapKind === "message"
            ? { kind: "message", desc: field.message }
            : field.mapKind === "scalar" && field.scalar === ScalarType.STRING
              ? { kind: "text", name }
              : undefined,
      };
    case "list":
      if (field.listKind === "message") {
        return { kind: "message", desc: field.message };
      }
      return field.listKind === "enum"
        ? { kind: "numbers", size: 0 }
        : insideOfScalar(field.scalar, name);
    case "scalar":
      return field.scalar === ScalarType.STRING ? { kind: "text", name } : undefined;
    case "enum":
      return undefined;
  }
}

/** Items of a list of scalars. */
function insideOfScalar(scalar: ScalarType, name: string): Inside | undefined {
  switch (scalar) {
    case ScalarType.STRING:
      return { kind: "text", name };
    case ScalarType.BYTES:
      return undefined;
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return { kind: "numbers", size: 8 };
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return { kind: "numbers", size: 4 };
    default:
      return { kind: "numbers", size: 0 };
  }
}
