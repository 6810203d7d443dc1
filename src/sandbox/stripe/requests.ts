import type { IncomingMessage } from "node:http";
import { invalidRequest, StripeError } from "./errors.js";
import { type Form, parseForm } from "./form.js";

const BODY_LIMIT_BYTES = 1024 * 1024;
const DISCARDED_LIMIT_BYTES = 16 * BODY_LIMIT_BYTES;
const KEY_LIMIT_CHARACTERS = 255;

const FORM_TYPE = /^application\/x-www-form-urlencoded\s*(;|$)/i;
const VERSION = /^\d{4}-\d{2}-\d{2}(\.[a-z]+)?$/;

/** The version that `stripe` 23.1.0 pins. */
export const DEFAULT_VERSION = "2026-10-28.endive";

/** @throws StripeError 413 for too long a body, and 400 for one that is no form. */
export async function readForm(request: IncomingMessage, query: string): Promise<Form> {
  const body = await readBody(request);
  if (body !== "" && !FORM_TYPE.test(request.headers["content-type"] ?? "")) {
    throw invalidRequest(
      "Invalid request (check that your POST content type is application/x-www-form-urlencoded).",
    );
  }
  return parseForm(`${query}&${body}`);
}

/** Reads to the end, also what is too long: a client that is still sending hears no answer. */
async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    bytes += chunk.length;
    if (bytes <= BODY_LIMIT_BYTES) {
      chunks.push(chunk);
    } else if (bytes > DISCARDED_LIMIT_BYTES) {
      break;
    }
  }
  if (bytes > BODY_LIMIT_BYTES) {
    throw new StripeError(413, {
      type: "invalid_request_error",
      message: `A request body accepts at most ${BODY_LIMIT_BYTES} bytes`,
    });
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** The idempotency key of a POST. @throws StripeError 400 if it is too long. */
export function readKey(request: IncomingMessage): string | undefined {
  const key = request.headers["idempotency-key"];
  if (key === undefined || request.method !== "POST") {
    return undefined;
  }
  const text = String(key);
  if (text === "" || text.length > KEY_LIMIT_CHARACTERS) {
    throw invalidRequest(`Idempotency keys accept 1 to ${KEY_LIMIT_CHARACTERS} characters`);
  }
  return text;
}

/** The version of the API that a request pins, or the default. @throws StripeError 400 if it is none. */
export function readVersion({ headers }: IncomingMessage): string {
  const version = String(headers["stripe-version"] ?? DEFAULT_VERSION);
  if (!VERSION.test(version)) {
    throw invalidRequest(`Invalid Stripe API version: one such as ${DEFAULT_VERSION}`);
  }
  return version;
}
