import {
  type DescField,
  type DescMethod,
  type DescService,
  fromBinary,
  getOption,
  hasOption,
  type Message,
} from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { idempotency } from "./gen/payonce/idempotency/v1/options_pb.js";
import { KEY_FIELD } from "./names.js";
import type { KeylessCall } from "./options.js";
import { requiresKey } from "./required-key.js";

/** A method whose calls need a key. */
export interface KeyedMethod {
  readonly method: DescMethod;
  /** The request's field that may carry the key. */
  readonly field: DescField | undefined;
}

/** Reads the method's idempotency option; undefined if its calls need no key. */
export function keyedMethod(method: DescMethod): KeyedMethod | undefined {
  if (method.methodKind !== "unary" || !isProtected(method.parent) || !requiresKey(method)) {
    return undefined;
  }
  const { keyField } = getOption(method, idempotency);
  const name = keyField === "" ? KEY_FIELD : keyField;
  return { method, field: method.input.fields.find((field) => field.name === name) };
}

/**
 * Returns true if a service's methods need keys at all. A client meets services of
 * any kind: calls of one that declares no policy are not repeated, as nothing says that its
 * server would execute a repeated call once.
 */
function isProtected(service: DescService): boolean {
  return service.methods.some((method) => hasOption(method, idempotency));
}

/** The method's name as keys know it, such as `acme.v1.Orders/PlaceOrder`. */
export function nameOf({ parent, name }: DescMethod): string {
  return `${parent.typeName}/${name}`;
}

/** The key in the request's field; undefined if there is none. */
export function keyInMessage({ method, field }: KeyedMethod, message: Message): string | undefined {
  const value = field && reflect(method.input, message).get(field);
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** The key in a serialized request, whatever generator the message came from. */
export function keyInBytes(keyed: KeyedMethod, bytes: Uint8Array): string | undefined {
  return keyInMessage(keyed, fromBinary(keyed.method.input, bytes));
}

/** The key of a call for which neither its caller nor its request names one. */
export function randomKey(_call: KeylessCall): string {
  return crypto.randomUUID();
}
