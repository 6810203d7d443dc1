import { Code, ConnectError } from "@connectrpc/connect";
import {
  type AuthorizeRequest,
  type CaptureRequest,
  EffectType,
  type RefundRequest,
  type StripeFields,
  type VoidRequest,
} from "../gen/payonce/sandbox/v1/sandbox_pb.js";
import { countCharacters } from "../runtime/characters.js";

/** A caller's request: two calls with one processor key are the same if all of it is equal. */
export interface EffectRequest {
  readonly type: EffectType;
  readonly processorKey: string;
  readonly paymentId: string;
  /** Absent for a void. */
  readonly amount?: Amount | undefined;
  /** The token of an authorization; empty for everything else. */
  readonly paymentMethod: string;
  /** What the face in Stripe's form keeps besides. */
  readonly stripe?: StripeFields | undefined;
}

export interface Amount {
  readonly currencyCode: string;
  readonly minorUnits: bigint;
}

// Real processors bound their keys alike. Every name ends up in a journal line.
const NAME_LIMIT_CHARACTERS = 255;

/** @throws ConnectError INVALID_ARGUMENT that names the field. */
export function fromAuthorize(request: AuthorizeRequest): EffectRequest {
  return {
    type: request.capture ? EffectType.AUTHORIZE_CAPTURE : EffectType.AUTHORIZE,
    ...checkNames(request),
    amount: checkAmount(request.amount),
    paymentMethod: checkName("payment_method", request.paymentMethod),
  };
}

/** @throws ConnectError INVALID_ARGUMENT that names the field. */
export function fromCapture(request: CaptureRequest): EffectRequest {
  return {
    type: EffectType.CAPTURE,
    ...checkNames(request),
    amount: checkAmount(request.amount),
    paymentMethod: "",
  };
}

/** @throws ConnectError INVALID_ARGUMENT that names the field. */
export function fromVoid(request: VoidRequest): EffectRequest {
  return { type: EffectType.VOID, ...checkNames(request), paymentMethod: "" };
}

/** @throws ConnectError INVALID_ARGUMENT that names the field. */
export function fromRefund(request: RefundRequest): EffectRequest {
  return {
    type: EffectType.REFUND,
    ...checkNames(request),
    amount: checkAmount(request.amount),
    paymentMethod: "",
  };
}

export function sameParameters(left: EffectRequest, right: EffectRequest): boolean {
  return (
    left.type === right.type &&
    left.paymentId === right.paymentId &&
    left.paymentMethod === right.paymentMethod &&
    left.amount?.currencyCode === right.amount?.currencyCode &&
    left.amount?.minorUnits === right.amount?.minorUnits
  );
}

/** @throws ConnectError INVALID_ARGUMENT that names the field. */
export function checkName(field: string, value: string): string {
  if (value === "" || countCharacters(value) > NAME_LIMIT_CHARACTERS) {
    throw invalidArgument(`${field} takes 1 to ${NAME_LIMIT_CHARACTERS} characters`);
  }
  return value;
}

export function invalidArgument(message: string): ConnectError {
  return new ConnectError(message, Code.InvalidArgument);
}

type Names = Pick<EffectRequest, "processorKey" | "paymentId">;

function checkNames(request: Names): Names {
  return {
    processorKey: checkName("processor_key", request.processorKey),
    paymentId: checkName("payment_id", request.paymentId),
  };
}

function checkAmount(amount: Amount | undefined): Amount {
  if (amount === undefined || amount.minorUnits <= 0n) {
    throw invalidArgument("amount.minor_units takes a positive number");
  }
  if (!/^[A-Z]{3}$/.test(amount.currencyCode)) {
    throw invalidArgument("amount.currency_code takes an ISO 4217 code, such as EUR");
  }
  return { currencyCode: amount.currencyCode, minorUnits: amount.minorUnits };
}
