import type { Scope } from "../../src/idempotency/scope.js";
import { answerOf } from "../support/payments-client.js";
import type { Asked, Send } from "./caller.js";

/** One thing that clients want once, under one key, and what they were told. */
export interface Intent {
  readonly scope: Scope;
  /** For all but the creation of a payment. */
  readonly paymentId?: string;
  /** How each caller's asking ended. */
  readonly told: Told[];
  /** Callers that still ask. */
  asking: number;
  /** What any caller was told last. */
  lastReason?: string;
}

interface Told {
  readonly send: Send;
  readonly asked: Asked;
}

export interface Answered {
  /** Repeats the request that was answered. */
  readonly send: Send;
  readonly asked: Asked;
}

/** The key's answer; undefined where nobody has got one. */
export function answerTo({ told }: Intent): Answered | undefined {
  return told.find(isAnswer);
}

/** How many effects the processor must have for an answer. */
export function effectsOf({ asked: { result } }: Answered): number {
  const payment = result.response?.payment;
  return payment === undefined || payment.declineCode !== "" ? 0 : 1;
}

/** What callers of one key were told and cannot both be true. */
export function contradictionsIn(intent: Intent): readonly string[] {
  const answers = intent.told.filter(isAnswer);
  const texts = new Set(answers.map(({ asked }) => textOf(asked)));
  const requests = new Set(answers.map(({ send }) => send));
  return [
    ...(texts.size > 1 ? [`${texts.size} different answers: ${[...texts].join(" | ")}`] : []),
    ...(requests.size > 1 ? [`${requests.size} different requests were answered`] : []),
  ];
}

/** All that a replay must repeat; equal for equal answers. */
export function textOf({ result }: Asked): string {
  return JSON.stringify(answerOf(result));
}

/** That the key stands for another request is no answer to it. */
function isAnswer({ asked: { isDefinite, refusal } }: Told): boolean {
  return isDefinite && refusal?.reason !== "IDEMPOTENCY_KEY_REUSED";
}
