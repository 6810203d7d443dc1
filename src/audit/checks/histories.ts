import { type Check, checkEach, keyText } from "../check.js";
import { type ClientCall, meaningOf } from "../client-call.js";

/**
 * The history of one key is one execution and then its answer. A call tells
 * something only where it began after another one had ended with the answer.
 * For a while it may still meet the lock of an owner that died after its
 * commit; a lock lives shorter than the bound.
 */
export const histories: Check = {
  id: "I12",
  title: "the history of a key is one execution and then its answer",
  needsCalls: true,
  check: ({ callsByScope, boundMs }) =>
    checkEach(
      callsByScope.values(),
      ([call]) => (call === undefined ? "" : keyText(call.scope)),
      (calls) => problemsOfHistory(calls, boundMs),
    ),
};

function* problemsOfHistory(calls: readonly ClientCall[], boundMs: number): Iterable<string> {
  const answers = calls.filter((call) => meaningOf(call) === "answer");
  const executed = answers.filter(({ isReplayed }) => !isReplayed).length;
  if (executed > 1) {
    yield `was executed ${executed} times`;
  }
  const answeredAtMs = answers.reduce(
    (earliest, { endMs }) => Math.min(earliest, endMs),
    Number.POSITIVE_INFINITY,
  );
  const requests = new Set(answers.map(({ request }) => request));
  for (const call of calls) {
    const lateMs = call.startMs - answeredAtMs;
    switch (meaningOf(call)) {
      case "answer":
        if (lateMs > 0 && !call.isReplayed) {
          yield `was executed ${lateMs} ms after it had been answered`;
        }
        break;
      case "in_progress":
        if (lateMs > boundMs) {
          yield `was still in progress ${lateMs} ms after it had been answered`;
        }
        break;
      case "not_executed":
        if (lateMs > 0 && requests.has(call.request)) {
          yield `was refused as not executed ${lateMs} ms after it had been answered`;
        }
        break;
      case "reused":
        if (requests.has(call.request)) {
          yield "was refused as another request's key, with the request that it was answered for";
        }
        break;
      case "nothing":
        break;
    }
  }
}
