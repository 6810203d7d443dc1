import { Code as ConnectCode, ConnectError, type HandlerContext } from "@connectrpc/connect";
import { Code } from "../idempotency/answers/code.js";
import { type ErrorDescription, refusal } from "../idempotency/answers/errors.js";
import { refusedReply } from "../idempotency/answers/reply.js";
import { connectErrorOf } from "./errors.js";

// Connect aborts a call's signal at the deadline that its caller has sent, and
// then waits for the handler all the same. The caller is answered here.

/** After how long to ask for what goes on meanwhile: most calls take less. */
const RETRY_DELAY_MS = 1_000;

/** A deadline that passes before anything is begun, or while a call only reads. */
const NOT_EXECUTED = refusal("NOT_EXECUTED", "the deadline has passed, and nothing was done", {
  retryDelayMs: RETRY_DELAY_MS,
});

/** A deadline that passes while a call executes, which goes on. Under a key a retry gets its answer. */
export const GOES_ON = refusal("OUTCOME_UNKNOWN", "the deadline has passed, and the call goes on", {
  code: Code.DEADLINE_EXCEEDED,
  retryDelayMs: RETRY_DELAY_MS,
});

/** The answer to a call that goes on without a key: a retry would be another call. */
export const GOES_ON_WITHOUT_KEY = refusal(
  "OUTCOME_UNKNOWN",
  "the deadline has passed, and the call goes on; it has no key to ask again with",
  { code: Code.DEADLINE_EXCEEDED, next: "look_up" },
);

/**
 * For right before a call begins. By the clock too: the signal is late where
 * the process is busy.
 * @throws ConnectError if its caller has left, or its deadline has passed.
 */
export function assertAwaited({ signal, timeoutMs }: HandlerContext): void {
  const leftMs = timeoutMs() ?? Number.POSITIVE_INFINITY;
  if (leftMs <= 0 || isPastDeadline(signal)) {
    throw connectErrorOf(refusedReply(NOT_EXECUTED));
  }
  if (signal.aborted) {
    throw new ConnectError("the caller has left", ConnectCode.Canceled);
  }
}

/**
 * Passes on what `work` comes to, if it does so before the deadline. What it comes to
 * later is dropped. Rejects with the error that the caller then gets: `passed`.
 */
export function untilDeadline<Result>(
  { signal }: HandlerContext,
  work: Promise<Result>,
  passed: () => ErrorDescription = () => NOT_EXECUTED,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const leave = () => {
      if (isPastDeadline(signal)) {
        reject(connectErrorOf(refusedReply(passed())));
      }
    };
    signal.addEventListener("abort", leave);
    leave(); // aborted already: no event comes any more
    void work.then(resolve, reject).then(() => signal.removeEventListener("abort", leave));
  });
}

/** Passes the items of a stream on, each if it comes before the deadline. */
export async function* itemsUntilDeadline<Item>(
  context: HandlerContext,
  items: AsyncIterable<Item>,
): AsyncGenerator<Item> {
  const iterator = items[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await untilDeadline(context, iterator.next());
      if (next.done === true) {
        return;
      }
      yield next.value;
    }
  } finally {
    // Not waited for: a handler that does not heed its signal would hold the answer up.
    iterator.return?.().catch(() => {});
  }
}

function isPastDeadline({ reason }: AbortSignal): boolean {
  return reason instanceof ConnectError && reason.code === ConnectCode.DeadlineExceeded;
}
