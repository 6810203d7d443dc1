import { setTimeout as sleep } from "node:timers/promises";
import { Code } from "../../src/idempotency/answers/code.js";
import { STATUS_DETAILS_TRAILER } from "../../src/idempotency/answers/errors.js";
import type { Writes } from "../invariants/client-log.js";
import { type Refusal, refusalOf } from "../support/payments/payments-client.js";
import type { Random } from "../support/random.js";

/** Where no server names a delay: the connection broke. Milliseconds. */
const DEFAULT_DELAY_MS = 200;

/** A key that is held names hours; the soak ends before, and asks whether it was stopped. Milliseconds. */
const MAX_DELAY_MS = 2_000;

/** So that not all come back at once. Milliseconds. */
const MAX_JITTER_MS = 50;

export type WriteResult = Awaited<ReturnType<Writes[keyof Writes]>>;

/** Sends one and the same call, to whichever service. */
export type Send = (service: Writes) => Promise<WriteResult>;

export interface Asked {
  /** The last thing that the caller was told. */
  readonly result: WriteResult;
  /** Absent for an OK, and where no service answered. */
  readonly refusal?: Refusal;
  /** Whether that ends the call, or the caller was stopped before. */
  readonly isDefinite: boolean;
}

export interface Caller {
  readonly services: readonly Writes[];
  readonly random: Random;
  /** Resolves when the next attempt may begin. */
  readonly mayAsk: () => Promise<void>;
  /** Whether to give up asking. */
  readonly isStopped: () => boolean;
  readonly onAttempt: (asked: Asked) => void;
}

/** Repeats a call, each time at another service, until its answer is definite, as the contract says. */
export async function askUntilDefinite(caller: Caller, send: Send): Promise<Asked> {
  const { services, random, mayAsk, isStopped, onAttempt } = caller;
  for (let index = random.integer(0, services.length - 1); ; index += 1) {
    const service = services[index % services.length];
    if (service === undefined) {
      throw new RangeError("a caller needs at least one service to ask");
    }
    await mayAsk();
    const asked = read(await send(service));
    onAttempt(asked);
    if (asked.isDefinite || isStopped()) {
      return asked;
    }
    const delayMs = Math.min(asked.refusal?.retryDelayMs ?? DEFAULT_DELAY_MS, MAX_DELAY_MS);
    await sleep(delayMs + random.integer(0, MAX_JITTER_MS));
    if (isStopped()) {
      return asked;
    }
  }
}

/** An error without details comes from no service: the call may have acted or not. */
function read(result: WriteResult): Asked {
  if (result.code === Code.OK) {
    return { result, isDefinite: true };
  }
  if (!result.trailers.some(([name]) => name === STATUS_DETAILS_TRAILER)) {
    return { result, isDefinite: false };
  }
  const refusal = refusalOf(result);
  const isDefinite = refusal.next !== "retry_same_key" && refusal.reason !== "OUTCOME_UNKNOWN";
  return { result, refusal, isDefinite };
}
