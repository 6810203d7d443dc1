import type { JsonObject } from "@bufbuild/protobuf";
import { expect } from "vitest";
import type { Code } from "../../../src/idempotency/answers/code.js";
import { grpcurl } from "../grpcurl.js";

const SERVICE = "payonce.payments.v1.PaymentService";

/** grpcurl ends with this much more than the status code. */
const EXIT_CODE_OFFSET = 64;

/** 20.00 EUR on a card that is approved. */
export const PAYMENT = {
  amount: { currency_code: "EUR", minor_units: "2000" },
  payment_method: "tok_visa",
};

/** What grpcurl shows of one call. */
export interface Shown {
  readonly code: number;
  /** The response message of an OK, the status of an error; both as JSON. */
  readonly json: JsonObject;
  readonly headers: ReadonlyMap<string, string>;
  readonly trailers: ReadonlyMap<string, string>;
}

/** Calls a method of the payment service as a person with grpcurl does. */
export async function callWithGrpcurl(options: {
  readonly address: string;
  readonly method: string;
  readonly request: unknown;
  /** Metadata entries, each as `name: value`. */
  readonly metadata?: readonly string[];
}): Promise<Shown> {
  const { address, method, request, metadata = [] } = options;
  const { code, stdout, stderr } = await grpcurl([
    ...["-plaintext", "-v", "-format-error"],
    ...metadata.flatMap((entry) => ["-H", entry]),
    ...["-d", JSON.stringify(request)],
    ...[address, `${SERVICE}/${method}`],
  ]);
  const status = code === 0 ? 0 : code - EXIT_CODE_OFFSET;
  expect(status, stderr).toBeGreaterThanOrEqual(0);
  return {
    code: status,
    json: JSON.parse(status === 0 ? section(stdout, "Response contents") : stderr),
    headers: entriesOf(section(stdout, "Response headers received")),
    trailers: entriesOf(section(stdout, "Response trailers received")),
  };
}

/** The lines below a title, up to an empty line or the end. */
function section(output: string, title: string): string {
  return new RegExp(`^${title}:\\n((?:.+\\n)*)`, "m").exec(output)?.[1] ?? "";
}

function entriesOf(lines: string): ReadonlyMap<string, string> {
  return new Map(
    [...lines.matchAll(/^(\S+): (.*)$/gm)].map(([, name = "", value = ""]) => [name, value]),
  );
}

export interface ExpectedRefusal {
  readonly code: Code;
  readonly reason: string;
  readonly next?: "retry_same_key" | "fix_request" | "look_up";
  /** The field that BadRequest names. */
  readonly field?: string;
}

/** Checks the status, its details and the pushback of an error, which comes in trailers alone. */
export function expectRefusal(shown: Shown, expected: ExpectedRefusal): void {
  const { code, reason, next = "fix_request", field } = expected;
  const canRetry = next === "retry_same_key";
  const detail = (name: string, content: object) => ({
    "@type": `type.googleapis.com/google.rpc.${name}`,
    ...content,
  });
  const info = detail("ErrorInfo", { domain: "payonce", reason, metadata: { next } });
  const retry = detail("RetryInfo", { retryDelay: expect.stringMatching(/^\d+(\.\d+)?s$/) });
  const badRequest = detail("BadRequest", { fieldViolations: [{ field }] });
  expect(shown).toMatchObject({
    code,
    json: {
      code,
      message: expect.stringMatching(/\w/),
      details: [info, ...(canRetry ? [retry] : []), ...(field === undefined ? [] : [badRequest])],
    },
  });
  expect([...shown.headers]).toEqual([]);
  expect(shown.trailers.get("grpc-retry-pushback-ms")).toMatch(canRetry ? /^\d+$/ : /^-1$/);
}
