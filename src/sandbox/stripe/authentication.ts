import { StripeError } from "./errors.js";

const TEST_KEY = /^[sr]k_test_\w+$/;

const BEARER = /^bearer +(?<key>\S+)$/i;
const BASIC = /^basic +(?<pair>[\w+/=-]+)$/i;

/** @throws StripeError 401 unless a request carries a secret key for tests, as a bearer token or as the user of Basic. */
export function checkKey(authorization: string | undefined): void {
  if (authorization === undefined) {
    throw unauthorized(
      "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
    );
  }
  const pair = BASIC.exec(authorization)?.groups?.pair;
  const key =
    pair === undefined
      ? BEARER.exec(authorization)?.groups?.key
      : Buffer.from(pair, "base64").toString("utf8").split(":")[0];
  if (key === undefined || !TEST_KEY.test(key)) {
    // The key is never repeated: it may be a live one.
    throw unauthorized("Invalid API Key provided: the sandbox accepts sk_test_... and rk_test_...");
  }
}

function unauthorized(message: string): StripeError {
  return new StripeError(401, { type: "invalid_request_error", message });
}
