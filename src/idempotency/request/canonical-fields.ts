import { type DescField, type Message, ScalarType } from "@bufbuild/protobuf";
import { type ReflectMap, type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { isWrapperDesc } from "@bufbuild/protobuf/wkt";

/**
 * Reads a field that is set: a scalar as it is, a message, an array of these, or
 * an object with the values of a map. A 64-bit number may be a text, which
 * writers take.
 *
 * The message's own properties are read, as its generated type has them.
 * Reflection makes objects for each message, list and map, and is left for the
 * few fields whose property is no message although their descriptor names one.
 */
export function fieldReader(field: DescField): (message: Message) => unknown {
  if (isSimplified(field)) {
    return reflectiveReader(field);
  }
  const { localName, oneof } = field;
  if (oneof !== undefined) {
    return (message) => fieldsOf(fieldsOf(message)[oneof.localName]).value;
  }
  return (message) => fieldsOf(message)[localName];
}

/** The generated type has them by their names, and so has that of a oneof. */
function fieldsOf(message: unknown): Readonly<Record<string, unknown>> {
  return message as Readonly<Record<string, unknown>>;
}

/** Reads the keys of a map off the names of its object's properties. */
export function keyReader(type: ScalarType): (name: string) => unknown {
  switch (type) {
    case ScalarType.BOOL:
      return (name) => name === "true";
    case ScalarType.INT32:
    case ScalarType.UINT32:
    case ScalarType.SINT32:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return Number;
    default:
      return (name) => name;
  }
}

/** A wrapper stands there as what it wraps, and a Struct as a JSON object. */
function isSimplified({ message, fieldKind, oneof, parent }: DescField): boolean {
  return (
    message !== undefined &&
    ((fieldKind === "message" && oneof === undefined && isWrapperDesc(message)) ||
      (message.typeName === "google.protobuf.Struct" &&
        parent.typeName !== "google.protobuf.Value"))
  );
}

function reflectiveReader(field: DescField): (message: Message) => unknown {
  // The field is one of a message that has it, of messages, by its descriptor.
  const read = (message: Message) => reflect(field.parent, message, false).get(field);
  const plain = ({ message }: ReflectMessage) => message;
  switch (field.fieldKind) {
    case "list":
      return (message) => Array.from(read(message) as Iterable<ReflectMessage>, plain);
    case "map":
      return (message) =>
        Object.fromEntries(
          Array.from(read(message) as ReflectMap<unknown, ReflectMessage>, ([key, value]) => [
            String(key),
            plain(value),
          ]),
        );
    default:
      return (message) => plain(read(message) as ReflectMessage);
  }
}
