import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { REQUEST_LIMITS, RequestInvalid, type RequestLimits } from "./request-limits.js";

/**
 * Looks through a request in JSON before it is decoded. The decoder takes
 * numbers in many forms, some of which no other language reads as the same
 * number: "0x10", " 5", 999999999999999.99. In an amount that is money, so
 * whole numbers are accepted in decimal digits alone.
 * @throws RequestInvalid if it is no JSON in UTF-8, passes a bound, or holds a
 * whole number in another form. The message names the field.
 */
export function checkJsonRequest(
  desc: DescMessage,
  bytes: Uint8Array,
  limits: RequestLimits = REQUEST_LIMITS,
): void {
  scan(bytes, limits, hasFractions(desc) ? "any" : "whole");
  checkMessage(desc, parsed(bytes), "");
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(utf8.decode(bytes));
  } catch {
    throw new RequestInvalid("the request must be JSON in UTF-8");
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;
const OPENING = new Set([0x5b, 0x7b]); // [ {
const CLOSING = new Set([0x5d, 0x7d]); // ] }
const SEPARATING = new Set([0x2c, 0x3a]); // , :
/** Besides digits, what a JSON number may hold: . + - e E */
const IN_NUMBER = new Set([0x2e, 0x2b, MINUS, 0x65, 0x45]);

/** No number needs more characters: 2^64 has 20 digits, a double 17 beside its point and exponent. */
const MAX_NUMBER_LENGTH = 32;

/** Bounds what a parser will make of a text, without making it. */
function scan(bytes: Uint8Array, limits: RequestLimits, numbers: "whole" | "any"): void {
  let depth = 0;
  let separators = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte === QUOTE) {
      at = endOfText(bytes, at + 1);
    } else if (OPENING.has(byte)) {
      depth += 1;
      if (depth > limits.maxDepth) {
        throw new RequestInvalid(`messages nest more than ${limits.maxDepth} deep`);
      }
    } else if (CLOSING.has(byte)) {
      depth -= 1;
    } else if (SEPARATING.has(byte)) {
      separators += 1;
      // Each field has a colon, and all but the last of an object a comma.
      if (separators > 2 * limits.maxFields) {
        throw new RequestInvalid(
          `a request may have ${limits.maxFields} fields, list items and map entries in all`,
        );
      }
    } else if (byte === MINUS || isDigit(byte)) {
      const end = endOfNumber(bytes, at);
      if (end - at > MAX_NUMBER_LENGTH) {
        throw new RequestInvalid(`a number may have ${MAX_NUMBER_LENGTH} characters`);
      }
      if (numbers === "whole" && !WHOLE.test(ascii(bytes.subarray(at, end)))) {
        throw new RequestInvalid("a number must be a whole one, in decimal digits");
      }
      at = end - 1;
    }
  }
}

function endOfText(bytes: Uint8Array, start: number): number {
  let at = start;
  while (at < bytes.length && bytes[at] !== QUOTE) {
    at += bytes[at] === BACKSLASH ? 2 : 1;
  }
  return at;
}

function endOfNumber(bytes: Uint8Array, start: number): number {
  let at = start + 1;
  while (isDigit(bytes[at] ?? 0) || IN_NUMBER.has(bytes[at] ?? 0)) {
    at += 1;
  }
  return at;
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= NINE;
}

function ascii(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}

/** A whole number as every language writes it. */
const WHOLE = /^-?(0|[1-9][0-9]*)$/;

function isWholeText(text: string): boolean {
  return text.length <= MAX_NUMBER_LENGTH && WHOLE.test(text);
}

/** Checks parsed JSON against the schema; fields that the schema does not have are left to the decoder. */
function checkMessage(desc: DescMessage, json: unknown, path: string): void {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    // A well-known type: a wrapper stands as what it wraps.
    const [wrapped] = desc.fields;
    if (wrapped?.name === "value" && desc.fields.length === 1) {
      checkValue(wrapped, json, path);
    } else {
      checkTexts(json, path);
    }
    return;
  }
  const fields = fieldsOf(desc);
  for (const [name, value] of Object.entries(json)) {
    checkText(name, path);
    const field = fields.get(name);
    const inside = path === "" ? name : `${path}.${name}`;
    if (field === undefined) {
      checkTexts(value, inside);
    } else if (Array.isArray(value)) {
      for (const item of value) {
        checkValue(field, item, inside);
      }
    } else if (field.fieldKind === "map" && typeof value === "object" && value !== null) {
      for (const [key, item] of Object.entries(value)) {
        checkText(key, inside);
        checkValue(field, item, inside);
      }
    } else {
      checkValue(field, value, inside);
    }
  }
}

function checkValue(field: DescField, value: unknown, path: string): void {
  if (field.message !== undefined) {
    checkMessage(field.message, value, path);
  } else if (isWhole(field.scalar) && typeof value === "string" && !isWholeText(value)) {
    throw new RequestInvalid(`${path} must be a whole number, in decimal digits`);
  } else if (isWhole(field.scalar) && typeof value === "number" && !Number.isSafeInteger(value)) {
    throw new RequestInvalid(`${path} must be a whole number, as a string past 2^53`);
  } else {
    checkTexts(value, path);
  }
}

function checkTexts(value: unknown, path: string): void {
  if (typeof value === "object" && value !== null) {
    for (const [name, item] of Object.entries(value)) {
      checkText(name, path);
      checkTexts(item, path);
    }
  } else {
    checkText(value, path);
  }
}

/** Half of a surrogate pair would be encoded as another character. */
function checkText(value: unknown, path: string): void {
  if (typeof value === "string" && !value.isWellFormed()) {
    throw new RequestInvalid(`${path === "" ? "a field" : path} must hold whole characters`);
  }
}

function isWhole(scalar: ScalarType | undefined): boolean {
  switch (scalar) {
    case undefined:
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
    case ScalarType.BOOL:
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return false;
    default:
      return true;
  }
}

const fieldsByName = new WeakMap<DescMessage, ReadonlyMap<string, DescField>>();

/** A field goes by both of its names. */
function fieldsOf(desc: DescMessage): ReadonlyMap<string, DescField> {
  const made =
    fieldsByName.get(desc) ??
    new Map(
      desc.fields.flatMap((field) => [
        [field.name, field],
        [field.jsonName, field],
      ]),
    );
  fieldsByName.set(desc, made);
  return made;
}

const withFractions = new WeakMap<DescMessage, boolean>();

/** Returns true if a message may hold, at any depth, a number that is not a whole one. */
function hasFractions(desc: DescMessage): boolean {
  const known = withFractions.get(desc);
  if (known !== undefined) {
    return known;
  }
  const reachable = new Set([desc]);
  let found = false;
  for (const message of reachable) {
    for (const field of message.fields) {
      found ||= field.scalar === ScalarType.DOUBLE || field.scalar === ScalarType.FLOAT;
      if (field.message !== undefined) {
        reachable.add(field.message);
      }
    }
  }
  withFractions.set(desc, found);
  return found;
}
