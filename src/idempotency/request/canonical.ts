import {
  type DescField,
  type DescMessage,
  getOption,
  isFieldSet,
  type Message,
  type MessageShape,
  ScalarType,
  type UnknownField,
} from "@bufbuild/protobuf";
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { exclude_from_fingerprint } from "../../gen/payonce/idempotency/v1/options_pb.js";
import { fieldReader, keyReader } from "./canonical-fields.js";
import { scalars } from "./canonical-scalars.js";

/** Grows with every change that gives some message other canonical bytes. */
export const CANONICAL_FORM_VERSION = 1;

/** The depth to which messages may nest, the outermost one counted: decoders accept as much by default. */
const DEPTH_LIMIT = 100;

/**
 * The canonical form of a message: a valid encoding of it that does not depend
 * on who encoded it. Protobuf itself promises no such thing
 * (protobuf.dev/programming-guides/serialization-not-canonical).
 *
 * - Fields stand in the order of their numbers, those unknown to this build
 *   among them, so that builds of different age agree.
 * - A field with implicit presence is left out at its default, one with
 *   explicit presence only when it is not set. -0 is not 0.
 * - Repeated numbers are packed.
 * - Map entries stand in the order of their encoded keys, each with key and value.
 * - Every NaN is the same.
 *
 * Left out are `keyField`, a field of the message itself, and at any depth the
 * fields marked `exclude_from_fingerprint`. A message inside of bytes, as in
 * google.protobuf.Any, and inside of an unknown field stays as it was encoded.
 *
 * @throws RangeError if messages nest more than 100 deep.
 */
export function canonicalBytes<Desc extends DescMessage>(
  desc: Desc,
  message: MessageShape<Desc>,
  keyField?: DescField,
): Uint8Array {
  const writer = new BinaryWriter();
  messageWriter(desc, keyField)(writer, message, 1);
  return writer.finish();
}

/** Writes a value of one kind. `depth` is that of the message it belongs to. */
type Write<Value> = (writer: BinaryWriter, value: Value, depth: number) => void;

// Messages have one writer each, and one more where their key is left out.
const messageWriters = new WeakMap<DescMessage | DescField, Write<Message>>();

function messageWriter(desc: DescMessage, keyField?: DescField): Write<Message> {
  const made = messageWriters.get(keyField ?? desc);
  if (made !== undefined) {
    return made;
  }
  const fields: {
    readonly field: DescField;
    readonly read: (message: Message) => unknown;
    readonly writeField: Write<never>;
  }[] = [];
  const excluded = new Set<number>();
  const write: Write<Message> = (writer, message, depth) => {
    if (depth > DEPTH_LIMIT) {
      throw new RangeError(`${desc.typeName}: messages nest more than ${DEPTH_LIMIT} deep`);
    }
    const unknown = unknownFields(message, excluded);
    for (const { field, read, writeField } of fields) {
      writeUnknownBelow(field.number, unknown, writer);
      if (isFieldSet(message, field)) {
        // What is read has the type that the descriptor names, and so does the
        // writer take it. TypeScript can follow neither.
        writeField(writer, read(message) as never, depth);
      }
    }
    writeUnknownBelow(Number.POSITIVE_INFINITY, unknown, writer);
  };
  // Before the fields get their writers: a message may contain itself.
  messageWriters.set(keyField ?? desc, write);
  for (const field of desc.fields.toSorted((a, b) => a.number - b.number)) {
    if (field.number === keyField?.number || getOption(field, exclude_from_fingerprint)) {
      excluded.add(field.number);
    } else {
      fields.push({ field, read: fieldReader(field), writeField: fieldWriter(field) });
    }
  }
  return write;
}

/** The unknown fields that count, the highest number first; among equal ones the last first. */
function unknownFields(message: Message, excluded: ReadonlySet<number>): UnknownField[] {
  // An unknown value of a closed enum is here too, under the number of a known field.
  const unknown = message.$unknown?.filter(({ no }) => !excluded.has(no)) ?? [];
  return unknown.sort((a, b) => a.no - b.no).reverse();
}

/** Takes the unknown fields with numbers below a limit off the end, and writes them. */
function writeUnknownBelow(limit: number, unknown: UnknownField[], writer: BinaryWriter): void {
  for (let last = unknown.at(-1); last !== undefined && last.no < limit; last = unknown.at(-1)) {
    unknown.pop();
    writer.tag(last.no, last.wireType);
    if (last.wireType === WireType.Varint) {
      writer.uint64(new BinaryReader(last.data).uint64()); // in its shortest form
    } else {
      writer.raw(last.data);
    }
  }
}

function fieldWriter(field: DescField): Write<never> {
  switch (field.fieldKind) {
    case "list":
      return listWriter(field);
    case "map":
      return mapWriter(field);
    default:
      return valueWriter(field, field.number);
  }
}

/** Makes the writer of one value with its tag: a singular field's, a list item or the value of a map entry. */
function valueWriter(field: DescField, number: number): Write<never> {
  if (field.message === undefined) {
    return scalarWriter(scalarTypeOf(field), number);
  }
  const write = messageWriter(field.message);
  if (field.delimitedEncoding) {
    return (writer, message, depth) => {
      writer.tag(number, WireType.StartGroup);
      write(writer, message, depth + 1);
      writer.tag(number, WireType.EndGroup);
    };
  }
  return (writer, message, depth) => {
    writer.tag(number, WireType.LengthDelimited).fork();
    write(writer, message, depth + 1);
    writer.join();
  };
}

function listWriter(field: DescField & { fieldKind: "list" }): Write<readonly never[]> {
  const { number } = field;
  const scalar = field.message === undefined ? scalars[scalarTypeOf(field)] : undefined;
  if (scalar === undefined || scalar.wireType === WireType.LengthDelimited) {
    const writeItem = valueWriter(field, number);
    return (writer, list, depth) => {
      for (const item of list) {
        writeItem(writer, item, depth);
      }
    };
  }
  return (writer, list) => {
    writer.tag(number, WireType.LengthDelimited).fork();
    for (const item of list) {
      scalar.write(writer, item);
    }
    writer.join();
  };
}

function mapWriter(
  field: DescField & { fieldKind: "map" },
): Write<Readonly<Record<string, never>>> {
  const readKey = keyReader(field.mapKey);
  const writeKey = scalarWriter(field.mapKey, 1);
  const writeValue = valueWriter(field, 2);
  return (writer, map, depth) => {
    const entryWriter = new BinaryWriter();
    const entries: Uint8Array[] = [];
    for (const [name, value] of Object.entries(map)) {
      writeKey(entryWriter, readKey(name) as never, depth);
      writeValue(entryWriter, value, depth);
      entries.push(entryWriter.finish());
    }
    // No two entries have the same key, and no encoded key is the beginning of
    // another one, so the keys alone decide.
    for (const entry of entries.sort(Buffer.compare)) {
      writer.tag(field.number, WireType.LengthDelimited).bytes(entry);
    }
  };
}

function scalarWriter(type: ScalarType, number: number): Write<never> {
  const { wireType, write } = scalars[type];
  return (writer, value) => write(writer.tag(number, wireType), value);
}

function scalarTypeOf(field: DescField & { message: undefined }): ScalarType {
  return field.scalar ?? ScalarType.INT32; // an enum
}
