import { sleep } from "./clock.js";
import type { Environment, RetrySettings } from "./options.js";
import { decide, delayMs, type Ending } from "./retry.js";

export interface Attempts<Answer> {
  /** Sends the call once. Never rejects: an error counts as an answer. */
  readonly send: () => Promise<Answer>;
  readonly endingOf: (answer: Answer) => Ending;
  readonly settings: RetrySettings;
  /** Aborts when the caller cancels. It is for `send` to end the attempt under way. */
  readonly signal: AbortSignal;
  /** On the environment's clock; infinite without a deadline. One for all attempts. */
  readonly deadlineMs: number;
  readonly environment: Environment;
}

export interface Attempted<Answer> {
  /** The number of attempts that were sent. */
  readonly attempts: number;
  /** The last attempt's; absent if the caller cancelled while none was under way. */
  readonly answer?: Answer;
}

/** Sends a call until its answer is final, or another attempt is not allowed or does not fit in. */
export async function runAttempts<Answer>(options: Attempts<Answer>): Promise<Attempted<Answer>> {
  const { send, endingOf, settings, signal, deadlineMs, environment } = options;
  const { clock, random } = environment;
  for (let attempts = 0; ; ) {
    if (signal.aborted) {
      return { attempts };
    }
    const answer = await send();
    attempts += 1;
    const decision = decide(endingOf(answer));
    if (decision.kind === "final" || attempts === settings.maxAttempts || signal.aborted) {
      return { attempts, answer };
    }
    const waitMs = delayMs({ ...decision, retriesBefore: attempts - 1 }, settings, random);
    if (clock.nowMs() + waitMs >= deadlineMs) {
      return { attempts, answer };
    }
    await sleep(clock, waitMs, signal);
  }
}
