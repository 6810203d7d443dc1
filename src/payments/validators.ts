import type { Message } from "@bufbuild/protobuf";
import type {
  CancelPaymentRequest,
  CapturePaymentRequest,
  CreatePaymentRequest,
  PaymentService,
  RefundPaymentRequest,
} from "../gen/payonce/payments/v1/payments_pb.js";
import { CallError, type ErrorDescription, refusal } from "../idempotency/answers/errors.js";
import type { ServiceValidators } from "../idempotency/execution/handlers.js";
import { KEY_METADATA } from "../idempotency/request/key.js";
import { settled } from "../runtime/batches.js";
import { holdsCardNumber } from "./card-numbers.js";
import { invalid } from "./errors.js";
import type { Money } from "./money.js";
import type { Processor } from "./processor.js";
import { readCancel, readCapture, readCreate, readRefund } from "./requests.js";

/**
 * Creates what finds what is wrong with requests that write, amounts that the processor cannot take among it. Their handlers ask the same, once
 * more, under the claim; but for card numbers, since a call that has begun is
 * carried on, whatever it holds, and for what the processor takes.
 */
export function createPaymentValidators({
  refusalOf = () => undefined,
}: Pick<Processor, "refusalOf"> = {}): ServiceValidators<typeof PaymentService> {
  const accepted = ({ amount }: { readonly amount?: Money | undefined }) => {
    const reason = amount && refusalOf(amount);
    if (reason !== undefined) {
      throw invalid("AMOUNT_INVALID", "amount", reason);
    }
  };
  return {
    createPayment: validating(
      (request) => {
        readCreate(request);
        accepted(request);
      },
      (request: CreatePaymentRequest) => [
        ["payment_method", request.paymentMethod],
        ["merchant_reference", request.merchantReference],
        ["description", request.description],
        ...Object.entries(request.metadata).flatMap(([name, value]): Text[] => [
          ["metadata", name],
          ["metadata", value],
        ]),
      ],
    ),
    capturePayment: validating(
      (request) => {
        readCapture(request);
        accepted(request);
      },
      paymentIdOf<CapturePaymentRequest>,
    ),
    cancelPayment: validating(readCancel, paymentIdOf<CancelPaymentRequest>),
    refundPayment: validating(
      (request) => {
        readRefund(request);
        accepted(request);
      },
      paymentIdOf<RefundPaymentRequest>,
    ),
  };
}

type Text = readonly [field: string, text: string];

function paymentIdOf<Request extends { readonly paymentId: string }>(request: Request): Text[] {
  return [["payment_id", request.paymentId]];
}

function validating<Request extends Message>(
  read: (request: Request) => unknown,
  texts: (request: Request) => Text[],
) {
  return (request: Request, key: string): ErrorDescription | undefined => {
    if (holdsCardNumber(key)) {
      return refusal("IDEMPOTENCY_KEY_INVALID", `${KEY_METADATA} must not ${HOLD_CARD_NUMBER}`, {
        field: KEY_METADATA,
      });
    }
    const intent = settled(() => {
      read(request);
      const found = texts(request).find(([, text]) => holdsCardNumber(text));
      if (found !== undefined) {
        throw invalid("FIELD_INVALID", found[0], `must not ${HOLD_CARD_NUMBER}`);
      }
    });
    return !intent.ok && intent.error instanceof CallError ? intent.error.description : undefined;
  };
}

const HOLD_CARD_NUMBER = "hold a card number, or what looks like one: it would be stored";
