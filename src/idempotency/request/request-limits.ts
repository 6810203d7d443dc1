import { isUtf8 } from "node:buffer";
import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { WireType } from "@bufbuild/protobuf/wire";

/** The limits of a request's content. Reading one within them takes some milliseconds at the most. */
export interface RequestLimits {
  /** Fields, items of lists and entries of maps, at all depths together, those unknown to the schema among them. */
  readonly maxFields: number;
  /** The depth to which messages may nest, the outermost one counted. */
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

/** A field as it must stand on the wire. The decoder reads a field by its number alone: bytes of
 * another wire type would mean one thing to this check, and another one to it. */
interface Known {
  readonly wireType: WireType;
  readonly inside: Inside | undefined;
}

/** The way in which a length-delimited field is looked into. */
type Inside =
  | { readonly kind: "message"; readonly desc: DescMessage }
  | { readonly kind: "map"; readonly entry: ReadonlyMap<number, Known> }
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
    const fields = desc === undefined ? NO_FIELDS : fieldsOf(desc);
    while (this.#position < end) {
      const tag = this.#varint();
      const number = Math.floor(tag / 8);
      const wireType = tag % 8;
      if (wireType === WireType.EndGroup && group !== 0 && number === group) {
        return;
      }
      const inside = this.#insideOf(fields.get(number), wireType);
      if (wireType === WireType.StartGroup) {
        this.#count(1);
        const groupDesc = inside?.kind === "message" ? inside.desc : undefined;
        this.message(groupDesc, end, depth + 1, number);
      } else {
        this.#value(wireType, inside, depth);
      }
    }
    if (this.#position !== end || group !== 0) {
      throw malformed();
    }
  }

  /** @throws RequestInvalid if a known field has another wire type than its own. */
  #insideOf(known: Known | undefined, wireType: number): Inside | undefined {
    if (known !== undefined && known.wireType !== wireType) {
      const isPacked = wireType === WireType.LengthDelimited && known.inside?.kind === "numbers";
      if (!isPacked) {
        throw malformed();
      }
    }
    return known?.inside;
  }

  /** The value of a field that is no group. */
  #value(wireType: number, inside: Inside | undefined, depth: number): void {
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
        this.#delimited(inside, depth);
        break;
      default:
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
        this.#entry(inside.entry, end, depth + 1);
        break;
      case "text":
        if (!isUtf8(this.#bytes.subarray(start, end))) {
          throw new RequestInvalid(`${inside.name} must be valid UTF-8`);
        }
        break;
      case "numbers":
        this.#count(inside.size === 0 ? this.#countNumbers(end) : length / inside.size);
        if (!this.#areWhole(inside.size, length, end)) {
          throw malformed();
        }
        break;
    }
    this.#position = end;
  }

  /** An entry of a map: key and value, and what else a sender put there. */
  #entry(fields: ReadonlyMap<number, Known>, end: number, depth: number): void {
    while (this.#position < end) {
      const tag = this.#varint();
      const wireType = tag % 8;
      this.#value(wireType, this.#insideOf(fields.get(Math.floor(tag / 8)), wireType), depth);
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

  /** Returns true if packed numbers end where their field does; the decoder would read the last one on. */
  #areWhole(size: number, length: number, end: number): boolean {
    return size === 0 ? length === 0 || (this.#bytes[end - 1] ?? 0) < 0x80 : length % size === 0;
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

const NO_FIELDS: ReadonlyMap<number, Known> = new Map();

function malformed(): RequestInvalid {
  return new RequestInvalid("the request is not a serialized message of its type");
}

const fieldsByMessage = new WeakMap<DescMessage, ReadonlyMap<number, Known>>();

/** The fields of a message, by number. */
function fieldsOf(desc: DescMessage): ReadonlyMap<number, Known> {
  const made =
    fieldsByMessage.get(desc) ??
    new Map(desc.fields.map((field) => [field.number, knownOf(field)]));
  fieldsByMessage.set(desc, made);
  return made;
}

function knownOf(field: DescField): Known {
  const { name } = field;
  switch (field.fieldKind) {
    case "message":
      return messageField(field.message, field.delimitedEncoding);
    case "map":
      return delimited({
        kind: "map",
        entry: new Map([
          [1, scalarField(field.mapKey, "the key of a map")],
          [2, mapValue(field)],
        ]),
      });
    case "list":
      if (field.listKind === "message") {
        return messageField(field.message, field.delimitedEncoding);
      }
      return listItem(field.listKind === "enum" ? ScalarType.INT32 : field.scalar, name);
    case "scalar":
      return scalarField(field.scalar, name);
    case "enum":
      return scalarField(ScalarType.INT32, name);
  }
}

function mapValue(field: DescField & { readonly fieldKind: "map" }): Known {
  switch (field.mapKind) {
    case "message":
      return messageField(field.message, false);
    case "scalar":
      return scalarField(field.scalar, field.name);
    case "enum":
      return scalarField(ScalarType.INT32, field.name);
  }
}

function messageField(desc: DescMessage, isGroup: boolean): Known {
  const inside: Inside = { kind: "message", desc };
  return isGroup ? { wireType: WireType.StartGroup, inside } : delimited(inside);
}

function scalarField(scalar: ScalarType, name: string): Known {
  return scalar === ScalarType.STRING
    ? delimited({ kind: "text", name })
    : { wireType: wireTypeOf(scalar), inside: undefined };
}

/** One of a list of scalars, or all of it where they can be packed. */
function listItem(scalar: ScalarType, name: string): Known {
  const wireType = wireTypeOf(scalar);
  return wireType === WireType.LengthDelimited
    ? scalarField(scalar, name)
    : { wireType, inside: { kind: "numbers", size: SIZES.get(wireType) ?? 0 } };
}

/** The size of each wire type of fixed length. Bytes. */
const SIZES: ReadonlyMap<WireType, number> = new Map([
  [WireType.Bit64, 8],
  [WireType.Bit32, 4],
]);

function delimited(inside: Inside): Known {
  return { wireType: WireType.LengthDelimited, inside };
}

function wireTypeOf(scalar: ScalarType): WireType {
  switch (scalar) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return WireType.LengthDelimited;
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return WireType.Bit64;
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return WireType.Bit32;
    default:
      return WireType.Varint;
  }
}
