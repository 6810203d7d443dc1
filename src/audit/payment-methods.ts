import { fromBinary } from "@bufbuild/protobuf";
import { type Payment, PaymentService } from "../gen/payonce/payments/v1/payments_pb.js";
import { type Fingerprint, fingerprintOf } from "../idempotency/request/fingerprint.js";
import { policiesOf } from "../idempotency/request/policy.js";
import type { OperationKind } from "../payments/operation.js";

const { method } = PaymentService;

/** The methods that write, by what they do. */
const writes = {
  create: method.createPayment,
  capture: method.capturePayment,
  cancel: method.cancelPayment,
  refund: method.refundPayment,
} satisfies Record<OperationKind, unknown>;

const policies = policiesOf(PaymentService);

const kinds: readonly OperationKind[] = ["create", "capture", "cancel", "refund"];

const kindByOperation: ReadonlyMap<string, OperationKind> = new Map(
  kinds.flatMap((kind) => {
    const operation = policies.get(writes[kind].name)?.operation;
    return operation === undefined ? [] : [[operation, kind] as const];
  }),
);

/** The operations in the scopes of calls that write payments. */
export const paymentOperations: readonly string[] = [...kindByOperation.keys()];

/** The kind of payment operation behind an operation's name; undefined for other services. */
export function kindOf(operation: string): OperationKind | undefined {
  return kindByOperation.get(operation);
}

/** The payment that the body of an OK tells of. Undefined where it tells of none. */
export function answeredPayment(kind: OperationKind, body: Uint8Array): Payment | undefined {
  try {
    return fromBinary(writes[kind].output, body).payment;
  } catch {
    return undefined; // bytes that are no answer tell of no payment
  }
}

/** The fingerprint of a stored request. Undefined where the bytes are no request. */
export function requestFingerprint(
  kind: OperationKind,
  operation: string,
  bytes: Uint8Array,
): Fingerprint | undefined {
  const { input, name } = writes[kind];
  try {
    return fingerprintOf({
      operation,
      desc: input,
      message: fromBinary(input, bytes),
      bytes,
      keyField: policies.get(name)?.keyField,
    });
  } catch {
    return undefined; // it would not have been accepted either
  }
}
