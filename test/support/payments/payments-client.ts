import { setTimeout as sleep } from "node:timers/promises";
import {
  type DescMessage,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
} from "@bufbuild/protobuf";
import { anyUnpack, durationMs } from "@bufbuild/protobuf/wkt";
import { type ChannelCredentials, Client, credentials as grpc, Metadata } from "@grpc/grpc-js";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from "../../../src/gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "../../../src/gen/google/rpc/status_pb.js";
import { InspectionService } from "../../../src/gen/payonce/idempotency/v1/inspection_pb.js";
import {
  type CaptureMethod,
  type MoneySchema,
  PaymentService,
} from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import { callUnary, type UnaryResult } from "../../../src/grpc/client.js";
import { Code } from "../../../src/idempotency/answers/code.js";
import {
  PUSHBACK_TRAILER,
  STATUS_DETAILS_TRAILER,
} from "../../../src/idempotency/answers/errors.js";
import { REPLAYED_ENTRY } from "../../../src/idempotency/answers/reply.js";
import { KEY_METADATA } from "../../../src/idempotency/request/key.js";

/** Far above what any call takes, on a busy machine too. */
const CALL_LIMIT_MS = 30_000;

/** How long a caller keeps retrying before the test fails. */
const RETRY_LIMIT_MS = 40_000;

const RETRYABLE: ReadonlySet<Code> = new Set([
  Code.ABORTED,
  Code.UNAVAILABLE,
  Code.RESOURCE_EXHAUSTED,
]);

export interface PaymentsClientOptions {
  readonly credentials?: ChannelCredentials;
  /** A bearer token. */
  readonly token?: string;
}

export type PaymentsClient = ReturnType<typeof openPayments>;

/** A client of the payment service. Each method takes its request and the key for the metadata. */
export function openPayments(target: string, options: PaymentsClientOptions = {}) {
  const { credentials = grpc.createInsecure(), token } = options;
  const client = new Client(target, credentials);
  const caller =
    <Input extends DescMessage, Output extends DescMessage>(
      method: DescMethodUnary<Input, Output>,
    ) =>
    (request: MessageInitShape<Input>, key?: string): Promise<UnaryResult<Output>> => {
      const metadata = new Metadata();
      if (key !== undefined) {
        metadata.set(KEY_METADATA, key);
      }
      if (token !== undefined) {
        metadata.set("authorization", `Bearer ${token}`);
      }
      return callUnary(client, { method, request, metadata, timeoutMs: CALL_LIMIT_MS });
    };
  const { method } = PaymentService;
  return {
    createPayment: caller(method.createPayment),
    capturePayment: caller(method.capturePayment),
    cancelPayment: caller(method.cancelPayment),
    refundPayment: caller(method.refundPayment),
    getPayment: caller(method.getPayment),
    listPayments: caller(method.listPayments),
    listRefunds: caller(method.listRefunds),
    listLedgerEntries: caller(method.listLedgerEntries),
    getRecord: caller(InspectionService.method.getRecord),
    listRecords: caller(InspectionService.method.listRecords),
    resolveKey: caller(InspectionService.method.resolveKey),
    listOperatorActs: caller(InspectionService.method.listOperatorActs),
    close: () => client.close(),
  };
}

/** What a test may want to say of a payment besides its method. */
export interface PaymentTerms {
  readonly amount?: MessageInitShape<typeof MoneySchema>;
  readonly captureMethod?: CaptureMethod;
  readonly merchantReference?: string;
  readonly metadata?: Record<string, string>;
}

/** A request for 19.99 EUR, unless the terms say otherwise. */
export function paymentOf(paymentMethod: string, terms: PaymentTerms = {}) {
  return { amount: eur(1_999n), paymentMethod, ...terms };
}

export function eur(minorUnits: bigint) {
  return { currencyCode: "EUR", minorUnits };
}

export function byKey(idempotencyKey: string) {
  return { lookup: { case: "idempotencyKey", value: idempotencyKey } } as const;
}

export interface Answered<Output extends DescMessage> {
  /** What the caller was told before, in order. */
  readonly earlier: readonly UnaryResult<Output>[];
  readonly answer: UnaryResult<Output>;
}

/** Repeats a call, as the contract tells a client to, until its answer is final. */
export async function untilAnswered<Output extends DescMessage>(
  call: () => Promise<UnaryResult<Output>>,
): Promise<Answered<Output>> {
  const deadline = performance.now() + RETRY_LIMIT_MS;
  const earlier: UnaryResult<Output>[] = [];
  for (;;) {
    const answer = await call();
    const delayMs = Number(textOf(answer.trailers, PUSHBACK_TRAILER) ?? -1);
    if (!RETRYABLE.has(answer.code) || delayMs < 0) {
      return { earlier, answer };
    }
    if (performance.now() > deadline) {
      throw new Error(`no answer after ${earlier.length} retries: ${answer.message}`);
    }
    earlier.push(answer);
    await sleep(delayMs);
  }
}

/** An error as its caller sees it: the status, its details and the trailer for native retries. */
export interface Refusal {
  readonly code: Code;
  readonly domain: string;
  readonly reason: string;
  readonly next: string | undefined;
  /** From BadRequest. */
  readonly field: string | undefined;
  /** From RetryInfo. Milliseconds. */
  readonly retryDelayMs: number | undefined;
  readonly pushback: string | undefined;
}

/** @throws if the result carries no ErrorInfo. */
export function refusalOf({ code, message, trailers }: UnaryResult<DescMessage>): Refusal {
  const encoded = trailers.find(([name]) => name === STATUS_DETAILS_TRAILER)?.[1];
  const { details } = fromBinary(StatusSchema, Buffer.from(encoded ?? ""));
  const detail = <Desc extends DescMessage>(desc: Desc) =>
    details.map((any) => anyUnpack(any, desc)).find((found) => found !== undefined);
  const info = detail(ErrorInfoSchema);
  if (info === undefined) {
    throw new Error(`code ${code} without ErrorInfo: ${message}`);
  }
  const retryDelay = detail(RetryInfoSchema)?.retryDelay;
  return {
    code,
    domain: info.domain,
    reason: info.reason,
    next: info.metadata.next,
    field: detail(BadRequestSchema)?.fieldViolations[0]?.field,
    retryDelayMs: retryDelay && durationMs(retryDelay),
    pushback: textOf(trailers, PUSHBACK_TRAILER),
  };
}

/** All that a replay must repeat, in a form that can be compared. */
export function answerOf({ code, message, body, headers, trailers }: UnaryResult<DescMessage>) {
  const comparable = (entries: UnaryResult<DescMessage>["headers"]) =>
    entries
      .filter(([name]) => name !== REPLAYED_ENTRY[0] && name !== "date")
      .map(([name, value]) => [name, Buffer.from(value).toString("hex")]);
  return {
    code,
    message,
    body: Buffer.from(body).toString("hex"),
    headers: comparable(headers),
    trailers: comparable(trailers),
  };
}

export function isReplayed({ code, headers, trailers }: UnaryResult<DescMessage>): boolean {
  const [name, value] = REPLAYED_ENTRY;
  return textOf(code === Code.OK ? headers : trailers, name) === value;
}

function textOf(entries: UnaryResult<DescMessage>["trailers"], name: string): string | undefined {
  const value = entries.find(([candidate]) => candidate === name)?.[1];
  return value === undefined ? undefined : String(value);
}
