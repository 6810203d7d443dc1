import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Client, Metadata } from "@grpc/grpc-js";
import {
  type Ending,
  type RetrySettings,
  runAttempts,
  systemEnvironment,
} from "@payonce/client/internal";
import {
  type CreatePaymentRequestSchema,
  PaymentService,
} from "../../gen/payonce/payments/v1/payments_pb.js";
import { callUnary, type UnaryResult } from "../../grpc/client.js";
import { Code } from "../../idempotency/answers/code.js";
import { PUSHBACK_TRAILER } from "../../idempotency/answers/errors.js";
import { REPLAYED_ENTRY } from "../../idempotency/answers/reply.js";

/** As often as the time allows, and soon: a storm is over in seconds. */
const RETRIES: RetrySettings = {
  maxAttempts: Number.POSITIVE_INFINITY,
  initialBackoffMs: 200,
  maxBackoffMs: 1_000,
};

/** The longest time for which one attempt may take. Milliseconds. */
const ATTEMPT_TIMEOUT_MS = 20_000;

/** The end of one caller's story. */
export interface CallerResult {
  readonly key: string;
  readonly attempts: number;
  /** The codes of all attempts on the way. */
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
  /** The time at which to give up, on the clock of `performance.now`. */
  readonly giveUpAtMs: number;
}

/** Sends one request until it has a final answer, as the contract tells a client to. */
export async function callUntilAnswered({
  clients,
  key,
  request,
  metadata,
  giveUpAtMs,
}: CallerOptions): Promise<CallerResult> {
  const codes: Code[] = [];
  const { answer } = await runAttempts({
    async send() {
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
      return result;
    },
    endingOf,
    settings: RETRIES,
    signal: new AbortController().signal, // its own: nobody cancels, and each wait listens
    deadlineMs: giveUpAtMs,
    environment: systemEnvironment,
  });
  if (answer === undefined) {
    throw new Error("an attempt that nobody cancels has an answer");
  }
  return toCallerResult(key, codes, answer);
}

type Result = UnaryResult<typeof PaymentService.method.createPayment.output>;

function endingOf({ code, trailers }: Result): Ending {
  const pushback = trailers.find(([name]) => name === PUSHBACK_TRAILER)?.[1];
  return {
    // An attempt that its own limit cut short says as little as a connection that broke.
    code: code === Code.DEADLINE_EXCEEDED ? Code.UNAVAILABLE : code,
    pushback: pushback === undefined ? undefined : String(pushback),
  };
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
