import { Code } from "../../src/idempotency/answers/code.js";
import { REPLAYED_ENTRY, type Reply } from "../../src/idempotency/answers/reply.js";
import type { Outcome } from "../../src/idempotency/port/outcome.js";
import { errorOf } from "../support/idempotency/replies.js";

/** Reasons of handlers' errors: what the answer then says of its key. */
export const FINAL_REASON = "SIMULATED_FINAL";
export const NOT_EXECUTED_REASON = "SIMULATED_NOT_EXECUTED";

/** What an answer tells its client. */
export type Meaning =
  /** The call was executed, and this is its result for good. */
  | "final"
  /** This call was not executed, and never will be unless it is sent again. */
  | "not_executed"
  /** The same, for a request that cannot be meant. */
  | "invalid"
  | "key_reused"
  | "key_expired"
  /** This call was not executed, nor will it be: ask again. */
  | "not_asked"
  /** Nothing yet: ask again. */
  | "indeterminate";

const meanings: ReadonlyMap<string | undefined, Meaning> = new Map([
  [FINAL_REASON, "final"],
  ["PAYMENT_NOT_CAPTURABLE", "final"],
  ["PAYMENT_NOT_CANCELABLE", "final"],
  ["PAYMENT_NOT_REFUNDABLE", "final"],
  ["AMOUNT_EXCEEDS_AUTHORIZED", "final"],
  ["AMOUNT_EXCEEDS_CAPTURED", "final"],
  [NOT_EXECUTED_REASON, "not_executed"],
  ["PAYMENT_NOT_FOUND", "not_executed"],
  ["PAYMENT_BUSY", "not_executed"],
  ["AMOUNT_INVALID", "invalid"],
  ["IDEMPOTENCY_KEY_REUSED", "key_reused"],
  ["IDEMPOTENCY_KEY_EXPIRED", "key_expired"],
  ["OVERLOADED", "not_asked"],
  ["REQUEST_IN_PROGRESS", "indeterminate"],
  ["CLAIM_LOST", "indeterminate"],
  ["OUTCOME_UNKNOWN", "indeterminate"],
  ["STORE_UNAVAILABLE", "indeterminate"],
]);

export interface Answer {
  readonly meaning: Meaning;
  /** All that its client receives, but for the mark of a replay. */
  readonly content: string;
  readonly retryDelayMs?: number;
}

const answers = new WeakMap<Reply, Answer>();

/** Reads a reply as a client does. @throws if it is none that the contract knows. */
export function readAnswer(reply: Reply): Answer {
  const answer = answers.get(reply) ?? read(reply);
  answers.set(reply, answer);
  return answer;
}

function read(reply: Reply): Answer {
  const { reason, retryDelayMs } = errorOf(reply);
  const meaning = reply.code === Code.OK ? "final" : meanings.get(reason);
  if (meaning === undefined) {
    throw new Error(`no client knows the answer ${reply.code} ${reason}`);
  }
  return {
    meaning,
    content: contentOf(reply),
    ...(retryDelayMs === undefined ? {} : { retryDelayMs }),
  };
}

/** Equal exactly for replies that differ in nothing but the mark of a replay. */
function contentOf({ code, message, body, headers, trailers }: Outcome): string {
  const unmarked = [headers, trailers].map((entries) =>
    entries
      .filter(([name]) => name !== REPLAYED_ENTRY[0])
      .map(([name, value]) => [name, Buffer.from(value).toString("latin1")]),
  );
  return JSON.stringify([code, message, Buffer.from(body).toString("latin1"), unmarked]);
}
