import { setTimeout as sleep } from "node:timers/promises";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Client, Metadata } from "@grpc/grpc-js";
import {
  type CreatePaymentRequestSchema,
  PaymentService,
} from "../../gen/payonce/payments/v1/payments_pb.js";
import { callUnary, type UnaryResult } from "../../grpc/client.js";
import { Code } from "../../idempotency/code.js";
import { PUSHBACK_TRAILER } from "../../idempotency/errors.js";
import { REPLAYED_ENTRY } from "../../idempotency/reply.js";

/** What a caller retries: always the same request under the same key. */
const RETRYABLE: ReadonlySet<Code> = new Set([
  Code.ABORTED,
  Code.UNAVAILABLE,
  Code.RESOURCE_EXHAUSTED,
  Code.DEADLINE_EXCEEDED,
  Code.CANCELLED, // what grpc-js says of a connection that a killed server left
]);

/** Where the server names no delay. Milliseconds. */
const DEFAULT_DELAY_MS = 200;

/** How long one attempt may take. Milliseconds. */
const ATTEMPT_TIMEOUT_MS = 20_000;

/** How one caller's story ended. */
export interface CallerResult {
  readonly key: string;
  readonly attempts: number;
  /** How often each code was met on the way. */
  readonly codes: readonly Code[];
  readonly code: Code;
  /** The answer without the marks of a replay; equal for equal answers. */
  readonly answer: string;
  readonly replayed: boolean;
  readonly paymentId?: string;
}

export interface CallerOptions {
  /** The services to ask, the first one first; a retry asks the next. */
  readonly clients: readonly Client[];
  readonly key: string;
  readonly request: MessageInitShape<typeof CreatePaymentRequestSchema>;
  readonly metadata: Metadata;
  /** When to give up, on the clock of `performance.now`. */
  readonly giveUpAtMs: number;
  /** The caller's own delay when a server names one, so that not all come back at once. */
  readonly jitterMs: () => number;
}

/** Sends one request until it has a final answer, as the contract tells a client to. */
export async function callUntilAnswered({
  clients,
  key,
  request,
  metadata,
  giveUpAtMs,
  jitterMs,
}: CallerOptions): Promise<CallerResult> {
  const codes: Code[] = [];
  for (;;) {
    const client = clients[codes.length % clients.length];
    if (client === undefined) {
      throw new RangeError("a caller needs at least one service to ask");
    }
    const result = await callUnary(client, {
      method: PaymentService.method.createPayment,
      request,
      metadata,
      timeoutMs: ATTEMPT_TIMEOUT_MS,
    });
    codes.push(result.code);
    const delayMs = retryDelayMs(result);
    if (delayMs === undefined || performance.now() + delayMs > giveUpAtMs) {
      return toCallerResult(key, codes, result);
    }
    await sleep(delayMs + jitterMs());
  }
}

type Result = UnaryResult<typeof PaymentService.method.createPayment.output>;

/** After how long to try again; undefined for a final answer. */
function retryDelayMs({ code, trailers }: Result): number | undefined {
  const pushback = trailers.find(([name]) => name === PUSHBACK_TRAILER)?.[1];
  const delayMs = pushback === undefined ? DEFAULT_DELAY_MS : Number(pushback);
  return RETRYABLE.has(code) && delayMs >= 0 ? delayMs : undefined;
}

function toCallerResult(key: string, codes: readonly Code[], result: Result): CallerResult {
  const [replayedName] = REPLAYED_ENTRY;
  const paymentId = result.response?.payment?.id;
  const comparable = [result.headers, result.trailers].map((entries) =>
    entries
      .filter(([name]) => name !== replayedName && name !== "date")
      .map(([name, value]) => [name, Buffer.from(value).toString("hex")]),
  );
  return {
    key,
    attempts: codes.length,
    codes,
    code: result.code,
    answer: JSON.stringify([
      result.code,
      result.message,
      Buffer.from(result.body).toString("hex"),
      ...comparable,
    ]),
    replayed: [...result.headers, ...result.trailers].some(([name]) => name === replayedName),
    ...(paymentId === undefined ? {} : { paymentId }),
  };
}
