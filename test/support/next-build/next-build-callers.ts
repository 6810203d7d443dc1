import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { expect } from "vitest";
import {
  type CreatePaymentRequest,
  CreatePaymentRequestSchema,
  type CreatePaymentResponseSchema,
} from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import type { UnaryResult } from "../../../src/grpc/client.js";
import { Code } from "../../../src/idempotency/answers/code.js";
import {
  answerOf,
  isReplayed,
  type PaymentsClient,
  type PaymentTerms,
  paymentOf,
  untilAnswered,
} from "../payments/payments-client.js";
import { noteIn } from "./next-build-note.js";

/** Payments under way at once, each asked for at two services. */
export const CALLERS = 4;

/** How long a caller keeps asking, on a busy machine. */
const ANSWER_LIMIT_MS = 40_000;

/** Between two services of which the first is just being restarted. */
const NEXT_SERVICE_DELAY_MS = 50;

/** What a caller is told by a service that is not there. */
const GONE: ReadonlySet<Code> = new Set([Code.UNAVAILABLE, Code.CANCELLED]);

export type PaymentAnswer = UnaryResult<typeof CreatePaymentResponseSchema>;

/** A payment that was answered. */
export interface Paid {
  readonly key: string;
  readonly request: CreatePaymentRequest;
  readonly answer: PaymentAnswer;
}

export function requestOf(terms: PaymentTerms = {}): CreatePaymentRequest {
  return create(CreatePaymentRequestSchema, paymentOf("tok_visa", terms));
}

/** What the next build noted in the payment that it answered with; no other build does. */
export function noteOf({ response }: PaymentAnswer): string | undefined {
  return noteIn(response?.payment);
}

/** Asks one service after the other until the payment is made. */
export async function pay(
  clients: readonly PaymentsClient[],
  { key, request }: Omit<Paid, "answer">,
): Promise<PaymentAnswer> {
  const giveUpAtMs = performance.now() + ANSWER_LIMIT_MS;
  while (performance.now() < giveUpAtMs) {
    for (const client of clients) {
      const { answer } = await untilAnswered(() => client.createPayment(request, key));
      if (!GONE.has(answer.code)) {
        expect(answer.code).toBe(Code.OK);
        return answer;
      }
      await sleep(NEXT_SERVICE_DELAY_MS);
    }
  }
  throw new Error(`${key}: no service has answered`);
}

/** Expects that each of the services replays each of the answers. */
export async function expectReplays(
  clients: readonly PaymentsClient[],
  payments: readonly Paid[],
): Promise<void> {
  for (const client of clients) {
    await Promise.all(
      payments.map(async (payment) => {
        const replay = await pay([client], payment);
        expect(isReplayed(replay)).toBe(true);
        expect(answerOf(replay)).toEqual(answerOf(payment.answer));
      }),
    );
  }
}

export interface PayingOptions<Result> {
  readonly clients: readonly PaymentsClient[];
  /** Begins every key. */
  readonly prefix: string;
  readonly onPaid: (payment: Paid) => void;
  readonly work: () => Promise<Result>;
}

/** Pays under key after key while the work is being done, each time at two services at once. */
export async function payingDuring<Result>(options: PayingOptions<Result>): Promise<Result> {
  const { clients, prefix, onPaid, work } = options;
  let isDone = false;
  let keys = 0;
  const working = work().finally(() => {
    isDone = true;
  });
  const callers = Array.from({ length: CALLERS }, async () => {
    while (!isDone) {
      const number = keys++;
      const key = `${prefix}-${number}`;
      const request = requestOf({ merchantReference: key });
      const [answer, duplicate] = await Promise.all([
        pay(rotated(clients, number), { key, request }),
        pay(rotated(clients, number + 1), { key, request }),
      ]);
      expect(answerOf(duplicate)).toEqual(answerOf(answer));
      onPaid({ key, request, answer });
    }
  });
  // Whatever fails, nothing is started any more once this has ended.
  await Promise.allSettled([working, ...callers]);
  await Promise.all(callers);
  return working;
}

function rotated<Item>(items: readonly Item[], turn: number): readonly Item[] {
  const first = turn % items.length;
  return [...items.slice(first), ...items.slice(0, first)];
}
