import { invalidRequest } from "./errors.js";

/** Parameters as brackets nest them: `metadata[order]=6` is `{ metadata: { order: "6" } }`. Has no prototype. */
export interface Form {
  [key: string]: string | Form;
}

// More than the 50 entries of metadata and all else that a request has.
const PAIR_LIMIT = 500;
const DEPTH_LIMIT = 5;

const NAME = /^([^[\]]+)((?:\[[^[\]]*\])*)$/;

/**
 * Parses `application/x-www-form-urlencoded`, in a body or a query.
 * @throws StripeError 400 where it is none.
 */
export function parseForm(text: string): Form {
  const form = emptyForm();
  const pairs = text.split("&").filter((pair) => pair !== "");
  if (pairs.length > PAIR_LIMIT) {
    throw invalidRequest(`A request accepts at most ${PAIR_LIMIT} parameters`);
  }
  for (const pair of pairs) {
    const [name = "", value = ""] = splitOnce(pair).map(decode);
    const [, first = "", brackets = ""] = NAME.exec(name) ?? [];
    if (first === "") {
      throw invalidRequest("Invalid parameter name: brackets must close, as in metadata[key]");
    }
    const rest = brackets === "" ? [] : brackets.slice(1, -1).split("][");
    if (rest.length >= DEPTH_LIMIT) {
      throw invalidRequest(`Parameters accept at most ${DEPTH_LIMIT} levels`);
    }
    insert(form, [first, ...rest], value);
  }
  return form;
}

function insert(form: Form, path: readonly string[], value: string): void {
  let node = form;
  path.forEach((part, index) => {
    const key = part === "" ? String(Object.keys(node).length) : part; // the next of a list: expand[]
    const present = node[key];
    const isLast = index === path.length - 1;
    if (present !== undefined && isLast !== (typeof present === "string")) {
      throw invalidRequest(`Invalid parameters: ${path[0]} is both a value and a hash`);
    }
    if (isLast) {
      node[key] = value;
      return;
    }
    const next = typeof present === "object" ? present : emptyForm();
    node[key] = next;
    node = next;
  });
}

function emptyForm(): Form {
  return Object.create(null);
}

function splitOnce(pair: string): readonly string[] {
  const at = pair.indexOf("=");
  return at < 0 ? [pair, ""] : [pair.slice(0, at), pair.slice(at + 1)];
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    throw invalidRequest("Invalid form encoding: a % must be followed by two hexadecimal digits");
  }
}
