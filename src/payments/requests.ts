import {
  type CancelPaymentRequest,
  type CapturePaymentRequest,
  type CreatePaymentRequest,
  type RefundPaymentRequest,
  CaptureMethod as WireCaptureMethod,
  PaymentStatus as WirePaymentStatus,
} from "../gen/payonce/payments/v1/payments_pb.js";
import { countCharacters } from "../runtime/characters.js";
import { invalid } from "./errors.js";
import { readMoney } from "./money.js";
import type { CreateIntent, Intent } from "./operation.js";
import { type CaptureMethod, type PaymentStatus, paymentStatuses } from "./payment.js";

// The bounds that the schema promises. Lengths count characters, as `countCharacters` does.
const TOKEN_LENGTH = { min: 1, max: 255 };
const ID_LENGTH = { min: 1, max: 255 };
const REFERENCE_LENGTH = { min: 0, max: 255 };
const DESCRIPTION_LENGTH = { min: 0, max: 1000 };
const METADATA_ENTRIES = 50;
const METADATA_NAME_LENGTH = { min: 0, max: 40 };
const METADATA_VALUE_LENGTH = { min: 0, max: 500 };

// Every function here reads a request or a part of one, and throws CallError
// FIELD_INVALID, AMOUNT_INVALID or CURRENCY_UNKNOWN with the field in question.

export function readCreate(request: CreatePaymentRequest): CreateIntent {
  const { currencyCode, minorUnits } = readMoney(request.amount);
  return {
    kind: "create",
    terms: {
      currencyCode,
      minorUnits,
      paymentMethod: readText("payment_method", request.paymentMethod, TOKEN_LENGTH),
      captureMethod: readCaptureMethod(request.captureMethod),
      merchantReference: readReference(request.merchantReference),
      description: readText("description", request.description, DESCRIPTION_LENGTH),
      metadata: readMetadata(request.metadata),
    },
  };
}

export function readCapture(request: CapturePaymentRequest): Intent {
  return { kind: "capture", ...readPart(request) };
}

export function readRefund(request: RefundPaymentRequest): Intent {
  return { kind: "refund", ...readPart(request) };
}

export function readCancel(request: CancelPaymentRequest): Intent {
  return { kind: "cancel", paymentId: readPaymentId(request.paymentId) };
}

export function readPaymentId(paymentId: string): string {
  return readText("payment_id", paymentId, ID_LENGTH);
}

export function readReference(merchantReference: string): string {
  return readText("merchant_reference", merchantReference, REFERENCE_LENGTH);
}

/** A status to filter by; undefined for all. */
export function readStatus(status: WirePaymentStatus): PaymentStatus | undefined {
  if (status === WirePaymentStatus.UNSPECIFIED) {
    return undefined;
  }
  const name = paymentStatuses.find((candidate) => WirePaymentStatus[candidate] === status);
  if (name === undefined) {
    throw invalid("FIELD_INVALID", "status", "must be a status of the schema");
  }
  return name;
}

function readPart({ paymentId, amount }: CapturePaymentRequest | RefundPaymentRequest) {
  return {
    paymentId: readPaymentId(paymentId),
    ...(amount === undefined ? {} : { amount: readMoney(amount) }),
  };
}

function readCaptureMethod(captureMethod: WireCaptureMethod): CaptureMethod {
  switch (captureMethod) {
    case WireCaptureMethod.UNSPECIFIED:
    case WireCaptureMethod.AUTOMATIC:
      return "AUTOMATIC";
    case WireCaptureMethod.MANUAL:
      return "MANUAL";
    default:
      throw invalid("FIELD_INVALID", "capture_method", "must be AUTOMATIC or MANUAL");
  }
}

function readMetadata(metadata: Readonly<Record<string, string>>): Record<string, string> {
  const entries = Object.entries(metadata);
  if (entries.length > METADATA_ENTRIES) {
    throw invalid("FIELD_INVALID", "metadata", `must hold at most ${METADATA_ENTRIES} entries`);
  }
  for (const [name, value] of entries) {
    readText("metadata", name, METADATA_NAME_LENGTH);
    readText("metadata", value, METADATA_VALUE_LENGTH);
  }
  return Object.fromEntries(entries);
}

function readText(
  field: string,
  text: string,
  { min, max }: { readonly min: number; readonly max: number },
): string {
  const length = countCharacters(text);
  if (length < min || length > max) {
    throw invalid("FIELD_INVALID", field, `must be ${min} to ${max} characters, not ${length}`);
  }
  if (text.includes("\0")) {
    throw invalid("FIELD_INVALID", field, "must not hold U+0000, which Postgres cannot store");
  }
  return text;
}
