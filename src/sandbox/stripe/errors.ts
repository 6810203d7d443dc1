import type { JsonObject } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";

/** An answer of the face. */
export interface Reply {
  readonly status: number;
  readonly body: JsonObject;
}

/** The fields of Stripe's error object that the face gives. */
export interface ErrorFields {
  readonly type: "api_error" | "card_error" | "idempotency_error" | "invalid_request_error";
  readonly message: string;
  readonly code?: string;
  readonly param?: string;
  readonly decline_code?: string;
  readonly charge?: string;
  readonly payment_intent?: JsonObject;
}

/** A call that ends in one of Stripe's errors. */
export class StripeError extends Error {
  override readonly name = "StripeError";

  constructor(
    readonly status: number,
    readonly fields: ErrorFields,
  ) {
    super(fields.message);
  }
}

export function invalidRequest(
  message: string,
  fields: Omit<ErrorFields, "type" | "message"> = {},
): StripeError {
  return new StripeError(400, { type: "invalid_request_error", message, ...fields });
}

/** @param status 404 for an object that the path names, 400 for one that a parameter names. */
export function noSuch(what: string, id: string, param: string, status = 404): StripeError {
  return new StripeError(status, {
    type: "invalid_request_error",
    code: "resource_missing",
    message: `No such ${what}: '${id}'`,
    param,
  });
}

export function keyReused(key: string): StripeError {
  return new StripeError(400, {
    type: "idempotency_error",
    message: `Keys for idempotent requests can only be used with the same endpoint and the same parameters they were first used with. Try using a key other than '${key}' if you meant to execute a different request.`,
  });
}

export function keyInUse(key: string): StripeError {
  return new StripeError(409, {
    type: "idempotency_error",
    code: "idempotency_key_in_use",
    message: `There is currently another in-progress request using this Stripe Idempotent Key (that probably means you submitted twice, and the other request is still going through): ${key}. Please try again later.`,
  });
}

export function errorReply({ status, fields }: StripeError): Reply {
  return { status, body: { error: { ...fields } } };
}

/** How Stripe, or what stands in front of it, would say what an armed fault says in a gRPC code. */
const FAULT_ANSWERS: Readonly<
  Partial<Record<Code, readonly [number, ErrorFields["type"], string?]>>
> = {
  [Code.InvalidArgument]: [400, "invalid_request_error"],
  [Code.FailedPrecondition]: [400, "invalid_request_error"],
  [Code.OutOfRange]: [400, "invalid_request_error"],
  [Code.Unauthenticated]: [401, "invalid_request_error"],
  [Code.PermissionDenied]: [403, "invalid_request_error"],
  [Code.NotFound]: [404, "invalid_request_error", "resource_missing"],
  [Code.Aborted]: [409, "idempotency_error", "idempotency_key_in_use"],
  [Code.ResourceExhausted]: [429, "invalid_request_error", "rate_limit"],
  [Code.Unimplemented]: [501, "api_error"],
  [Code.Unavailable]: [503, "api_error"],
  [Code.DeadlineExceeded]: [504, "api_error"],
};

/** The answer to a call that ended in an error of any kind. */
export function replyOfError(error: unknown): Reply {
  if (error instanceof StripeError) {
    return errorReply(error);
  }
  const { code, rawMessage } = ConnectError.from(error, Code.Internal);
  const [status, type, stripeCode] = FAULT_ANSWERS[code] ?? [500, "api_error"];
  return errorReply(
    new StripeError(status, {
      type,
      message: rawMessage,
      ...(stripeCode === undefined ? {} : { code: stripeCode }),
    }),
  );
}
