import { KEY_METADATA } from "@payonce/client/internal";
import { type ErrorDescription, refusal } from "../answers/errors.js";

export { KEY_METADATA };

const LENGTH_LIMIT = 255;
const VISIBLE_ASCII = /^[\x21-\x7e]+$/;
const ACCEPTED = `1 to ${LENGTH_LIMIT} characters, each a visible ASCII character (0x21 to 0x7E)`;

// A string of RFC 8941, section 3.3.3.
const QUOTED = /^"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"$/;

/** The two places in which a call may carry its key. */
export interface KeySources {
  /** Every value of the metadata's `idempotency-key`. */
  readonly metadata: readonly string[];
  /** The field of the request that may carry the key, if it has one. */
  readonly field?: { readonly name: string; readonly value: string } | undefined;
}

/** The key of a call, that there is none, or the error of one that is not valid. */
export type KeyReading =
  | { readonly kind: "key"; readonly key: string }
  | { readonly kind: "missing" }
  | { readonly kind: "refused"; readonly error: ErrorDescription };

/**
 * Finds the idempotency key of a call, in the metadata, in a field, or in both
 * if they agree. In the metadata the key may be bare (`abc`) or quoted (`"abc"`), as
 * the IETF's draft-ietf-httpapi-idempotency-key-header has it; both are the same
 * key. In the field it stands as it is, and an empty field is no key. No message
 * repeats what was sent.
 */
export function readKey({ metadata, field }: KeySources): KeyReading {
  if (metadata.length > 1) {
    return refused("IDEMPOTENCY_KEY_INVALID", KEY_METADATA, `${KEY_METADATA} must be sent once`);
  }
  const value = metadata[0];
  const fromMetadata = value === undefined ? undefined : unquote(value);
  if (value !== undefined && (fromMetadata === undefined || !isKey(fromMetadata))) {
    return refused(
      "IDEMPOTENCY_KEY_INVALID",
      KEY_METADATA,
      `${KEY_METADATA} must have ${ACCEPTED}, either bare or as a quoted string without parameters`,
    );
  }
  if (field === undefined || field.value === "") {
    return fromMetadata === undefined ? { kind: "missing" } : { kind: "key", key: fromMetadata };
  }
  if (!isKey(field.value)) {
    return refused("IDEMPOTENCY_KEY_INVALID", field.name, `${field.name} must have ${ACCEPTED}`);
  }
  if (fromMetadata !== undefined && fromMetadata !== field.value) {
    return refused(
      "IDEMPOTENCY_KEY_CONFLICT",
      field.name,
      `${field.name} and the metadata's ${KEY_METADATA} must be the same key, or only one be sent`,
    );
  }
  return { kind: "key", key: field.value };
}

function isKey(text: string): boolean {
  return text.length <= LENGTH_LIMIT && VISIBLE_ASCII.test(text);
}

/** The key in a metadata value; undefined if the value begins like a quoted string and is none. */
function unquote(value: string): string | undefined {
  return value.startsWith('"') ? QUOTED.exec(value)?.[1]?.replace(/\\(.)/g, "$1") : value;
}

function refused(
  reason: "IDEMPOTENCY_KEY_INVALID" | "IDEMPOTENCY_KEY_CONFLICT",
  field: string,
  message: string,
): KeyReading {
  return { kind: "refused", error: refusal(reason, message, { field }) };
}
