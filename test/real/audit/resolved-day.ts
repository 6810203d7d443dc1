import type { DescMessage } from "@bufbuild/protobuf";
import { CaptureMethod, PaymentService } from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import { FaultAction } from "../../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import type { UnaryResult } from "../../../src/grpc/client.js";
import {
  type OperationKind,
  paymentIdOf,
  processorKeyOf,
} from "../../../src/payments/operation.js";
import type { Writes } from "../../invariants/client-log.js";
import { type ResolutionKind, resolve, untilHeld } from "../../support/operators/operator.js";
import {
  eur,
  type PaymentsClient,
  paymentOf,
  untilAnswered,
} from "../../support/payments/payments-client.js";
import { ALL_CALLS, type Processor } from "../../support/service/processor.js";

const { method } = PaymentService;
const methods = {
  create: method.createPayment,
  capture: method.capturePayment,
  cancel: method.cancelPayment,
  refund: method.refundPayment,
} satisfies Record<OperationKind, unknown>;

export function scopeOf(kind: OperationKind, key: string) {
  const operation = `${PaymentService.typeName}/${methods[kind].name}`;
  return { tenant: "default", operation, key };
}

export interface ResolvedDay {
  /** Of a service whose processor forgets soon. */
  readonly client: PaymentsClient;
  /** The same, noted down. */
  readonly writes: Writes;
  readonly processor: Processor;
}

/** A key that the processor's window ends for, and what an operator says of it. */
interface Lost {
  readonly kind: OperationKind;
  readonly key: string;
  /** Whether the processor did it, and never said so. */
  readonly isDone?: boolean;
  readonly resolution: ResolutionKind;
  /** Whether the client sends it again afterwards. */
  readonly isSentAgain: boolean;
}

const MANUAL = { captureMethod: CaptureMethod.MANUAL };

const creations: readonly Lost[] = [
  { kind: "create", key: "given-up", resolution: "not_executed", isSentAgain: false },
  { kind: "create", key: "retried", resolution: "not_executed", isSentAgain: true },
  { kind: "create", key: "failed", resolution: "error", isSentAgain: true },
  { kind: "create", key: "done", isDone: true, resolution: "response", isSentAgain: true },
];

/** On the payment that was executed at the second time only. */
const captures: readonly Lost[] = [
  { kind: "capture", key: "no-capture", resolution: "not_executed", isSentAgain: false },
  { kind: "capture", key: "late-capture", resolution: "not_executed", isSentAgain: true },
  { kind: "capture", key: "done-capture", isDone: true, resolution: "response", isSentAgain: true },
];

/** Payments of which an operator has to find out what became of them. */
export async function resolvedDay({ client, writes, processor }: ResolvedDay): Promise<void> {
  const paymentId = paymentIdOf(scopeOf("create", "retried"));
  const send = ({ kind, key }: Lost): Promise<UnaryResult<DescMessage>> =>
    kind === "create"
      ? writes.createPayment(paymentOf("tok_visa", MANUAL), key)
      : writes.capturePayment({ paymentId, amount: eur(500n) }, key);

  for (const lost of [creations, captures]) {
    await processor.arm(
      ...lost.map(({ kind, key, isDone = false }) => ({
        action: isDone ? FaultAction.DROP_AFTER : FaultAction.DROP_BEFORE,
        count: ALL_CALLS,
        processorKey: processorKeyOf(scopeOf(kind, key)),
      })),
    );
    await Promise.all(lost.map(send));
    const held = await Promise.all(
      lost.map(({ kind, key }) => untilHeld(client, scopeOf(kind, key))),
    );
    await processor.arm();
    await Promise.all(
      lost.map(async (each, index) => {
        const record = held[index];
        const { response, message } = record
          ? await resolve(client, record, each.resolution)
          : { response: undefined, message: "is not held" };
        if (response === undefined) {
          throw new Error(`${each.key}: ${message}`);
        }
        if (each.isSentAgain) {
          await untilAnswered(() => send(each));
        }
      }),
    );
  }
}
