import type { Effect } from "../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import type { Scope } from "../../src/idempotency/port/scope.js";
import { answerOf } from "../support/payments/payments-client.js";
import type { Asked, Send } from "./caller.js";

/** One and the same call. */
export interface Request {
  readonly send: Send;
  /** What it asks for, where it names an amount. */
  readonly minorUnits?: bigint;
}

/** One thing that clients want once, under one key, and what they were told. */
export interface Intent {
  readonly scope: Scope;
  readonly processorKey: string;
  readonly paymentId: string;
  readonly request: Request;
  /** Another request under the same key. */
  readonly other: Request;
  /** Whether clients send both. */
  readonly isContested: boolean;
  /** How each caller's asking ended. */
  told: Told[];
  /** Callers that still ask. */
  asking: number;
  /** Whether nobody is to ask any more: an operator ends the key, and then something else happens. */
  isGivenUp: boolean;
  /** What any caller was told last. */
  lastReason?: string;
}

export interface Told {
  readonly request: Request;
  readonly asked: Asked;
  /** By the clock of this process. Milliseconds. */
  readonly atMs: number;
}

/** The key's answer; undefined where nobody has got one. */
export function answerTo({ told }: Intent): Told | undefined {
  return told.find(isAnswer);
}

/** The request that the key stands for, as far as anybody knows: the processor knows best. */
export function requestOf(intent: Intent, effects: readonly Effect[]): Request {
  const { request, other, isContested } = intent;
  const done = effects[0]?.amount?.minorUnits;
  if (isContested && done !== undefined) {
    return other.minorUnits === done ? other : request;
  }
  return answerTo(intent)?.request ?? request;
}

/** How many effects the processor must have for an answer. */
export function effectsOf({ result }: Asked): number {
  const payment = result.response?.payment;
  return payment === undefined || payment.declineCode !== "" ? 0 : 1;
}

/** What callers of one key were told and cannot both be true. */
export function contradictionsIn(intent: Intent): readonly string[] {
  const answers = intent.told.filter(isAnswer);
  const texts = new Set(answers.map(({ asked }) => textOf(asked)));
  const requests = new Set(answers.map(({ request }) => request));
  return [
    ...(texts.size > 1 ? [`${texts.size} different answers: ${[...texts].join(" | ")}`] : []),
    ...(requests.size > 1 ? [`${requests.size} different requests were answered`] : []),
  ];
}

/** All that a replay must repeat; equal for equal answers. */
export function textOf({ result }: Asked): string {
  return JSON.stringify(answerOf(result));
}

export function nameOf({ scope }: Intent): string {
  return `${scope.operation.split("/")[1]} ${scope.key}`;
}

/** Whether a caller was told that there is no such payment: no answer, it may come yet. */
export function isToldOfNoPayment({ told }: Intent): boolean {
  return told.some(({ asked }) => asked.refusal?.reason === NO_PAYMENT);
}

const NO_PAYMENT = "PAYMENT_NOT_FOUND";

/** Definite, and no answer to the key. */
const otherReasons: readonly string[] = ["IDEMPOTENCY_KEY_REUSED", NO_PAYMENT];

function isAnswer({ asked: { isDefinite, refusal } }: Told): boolean {
  return isDefinite && !otherReasons.includes(refusal?.reason ?? "");
}
