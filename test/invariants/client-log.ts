import {
  create,
  type DescMessage,
  type DescMethodUnary,
  type MessageInitShape,
  toBinary,
} from "@bufbuild/protobuf";
import type { ClientCall } from "../../src/audit/client-call.js";
import { PaymentService } from "../../src/gen/payonce/payments/v1/payments_pb.js";
import type { UnaryResult } from "../../src/grpc/client.js";
import { STATUS_DETAILS_TRAILER } from "../../src/idempotency/answers/errors.js";
import { REPLAYED_ENTRY } from "../../src/idempotency/answers/reply.js";
import type { MetadataEntry } from "../../src/idempotency/port/outcome.js";
import { fingerprintOf } from "../../src/idempotency/request/fingerprint.js";
import { policiesOf } from "../../src/idempotency/request/policy.js";
import { isReplayed, type PaymentsClient, refusalOf } from "../support/payments/payments-client.js";

export type Writes = Pick<
  PaymentsClient,
  "createPayment" | "capturePayment" | "cancelPayment" | "refundPayment"
>;

/** What all clients of a test were told, in the order in which it came. */
export interface ClientLog {
  readonly calls: readonly ClientCall[];
  /** The same client, with every write that carries a key noted down. */
  on(client: Writes): Writes;
}

export interface ClientLogOptions {
  /** Whose token the clients carry. Default: the tenant of callers without authentication. */
  readonly tenant?: string;
  /** One clock for all clients of the log. Milliseconds. */
  readonly nowMs?: () => number;
}

const policies = policiesOf(PaymentService);
const { method } = PaymentService;

/** Writes down every call and its answer, for the invariants that only clients can decide. */
export function createClientLog({
  tenant = "default",
  nowMs = () => performance.now(),
}: ClientLogOptions = {}): ClientLog {
  const calls: ClientCall[] = [];

  function logged<Input extends DescMessage, Output extends DescMessage>(
    called: DescMethodUnary<Input, Output>,
    send: (request: MessageInitShape<Input>, key?: string) => Promise<UnaryResult<Output>>,
  ): typeof send {
    return async (request, key) => {
      const startMs = nowMs();
      const result = await send(request, key);
      if (key !== undefined) {
        const sent = identify(called, request);
        const scope = { tenant, operation: sent.operation, key };
        calls.push({
          scope,
          request: sent.fingerprint,
          startMs,
          endMs: nowMs(),
          ...answerOf(result),
        });
      }
      return result;
    };
  }

  return {
    calls,
    on: (client) => ({
      createPayment: logged(method.createPayment, client.createPayment),
      capturePayment: logged(method.capturePayment, client.capturePayment),
      cancelPayment: logged(method.cancelPayment, client.cancelPayment),
      refundPayment: logged(method.refundPayment, client.refundPayment),
    }),
  };
}

/** The operation in the scope of the call's key, and what the service recognises the request by. */
function identify<Input extends DescMessage, Output extends DescMessage>(
  { name, input }: DescMethodUnary<Input, Output>,
  request: MessageInitShape<Input>,
): { readonly operation: string; readonly fingerprint: string } {
  const policy = policies.get(name);
  if (policy === undefined) {
    throw new Error(`${name} takes no key`);
  }
  const { operation, keyField } = policy;
  const message = create(input, request);
  const bytes = toBinary(input, message);
  const { canonical } = fingerprintOf({ operation, desc: input, message, bytes, keyField });
  return { operation, fingerprint: Buffer.from(canonical).toString("hex") };
}

function answerOf(result: UnaryResult<DescMessage>) {
  const { code, message, body, headers, trailers } = result;
  const hasDetails = trailers.some(([name]) => name === STATUS_DETAILS_TRAILER);
  return {
    code,
    message,
    body,
    headers: headers.filter(isRepeated),
    trailers: trailers.filter(isRepeated),
    isReplayed: isReplayed(result),
    ...(hasDetails ? { reason: refusalOf(result).reason } : {}),
  };
}

/** A replay says that it is one, and when it was sent; everything else must be repeated. */
function isRepeated([name]: MetadataEntry): boolean {
  return name !== REPLAYED_ENTRY[0] && name !== "date";
}
