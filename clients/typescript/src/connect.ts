import {
  ConnectError,
  type ContextKey,
  createContextKey,
  type Interceptor,
  type StreamResponse,
  type UnaryRequest,
  type UnaryResponse,
} from "@connectrpc/connect";
import { runAttempts } from "./attempts.js";
import { Code, toCode } from "./code.js";
import { readTimeout, writeTimeout } from "./connect-timeout.js";
import { RetryInfoSchema } from "./gen/google/rpc/error_details_pb.js";
import { keyedMethod, keyInMessage, nameOf, randomKey } from "./keys.js";
import { KEY_METADATA, PUSHBACK_TRAILER } from "./names.js";
import {
  type CallReport,
  type ClientOptions,
  type Environment,
  retrySettings,
  systemEnvironment,
} from "./options.js";
import { isReplayed } from "./replayed.js";
import type { Ending } from "./retry.js";
import { retryDelayMs } from "./status-details.js";

/**
 * The key, among context values, of the report of one call. Pass context values
 * with a call, and read the report from them once the call has ended, whether with a response or with an error:
 *
 * ```ts
 * const contextValues = createContextValues();
 * await payments.createPayment(request, { contextValues });
 * contextValues.get(callReport)?.key;
 * ```
 */
export const callReport: ContextKey<CallReport | undefined> = createContextKey<
  CallReport | undefined
>(undefined, { description: "report of a call under an idempotency key" });

type Response = UnaryResponse | StreamResponse;

type Answer =
  | { readonly kind: "response"; readonly response: Response }
  | { readonly kind: "error"; readonly error: unknown };

/**
 * Makes an interceptor that gives every call that needs one an idempotency key, and
 * retries it under that key, so that it never becomes a second call. It works with
 * the transports of connect-node and connect-web, whichever protocol they speak. Put interceptors that must see
 * each attempt, such as one that renews a token, after it.
 *
 * @param environment The clock and the randomness of retries; tests replace them.
 * @throws RangeError if an option has a value that it does not accept.
 */
export function connectInterceptor(
  options: ClientOptions = {},
  environment: Environment = systemEnvironment,
): Interceptor {
  const settings = retrySettings(options);
  const { newKey = randomKey, onReport } = options;
  const { clock } = environment;
  return (next) => async (request) => {
    const keyed = request.stream ? undefined : keyedMethod(request.method);
    if (request.stream || keyed === undefined) {
      return next(request);
    }
    const method = nameOf(request.method);
    const header = new Headers(request.header);
    const given = header.get(KEY_METADATA) ?? keyInMessage(keyed, request.message);
    const key = given ?? newKey({ method, request: request.message });
    if (given === undefined) {
      header.set(KEY_METADATA, key);
    }
    const deadlineMs = clock.nowMs() + readTimeout(header);

    const { attempts, answer } = await runAttempts<Answer>({
      send: () => answerTo(next(attemptOf(request, header, deadlineMs - clock.nowMs()))),
      endingOf,
      settings,
      signal: request.signal,
      deadlineMs,
      environment,
    });

    const report = { method, key, attempts, replayed: answer !== undefined && replayed(answer) };
    request.contextValues.set(callReport, report);
    onReport?.(report);
    switch (answer?.kind) {
      case "response":
        return answer.response;
      case "error":
        throw answer.error;
      case undefined:
        throw request.signal.reason;
    }
  };
}

/** A request of its own for each attempt: interceptors after this one may change its header. */
function attemptOf(request: UnaryRequest, header: Headers, remainingMs: number): UnaryRequest {
  const ownHeader = new Headers(header);
  writeTimeout(ownHeader, remainingMs);
  return { ...request, header: ownHeader };
}

function answerTo(call: Promise<Response>): Promise<Answer> {
  return call.then(
    (response) => ({ kind: "response", response }),
    (error: unknown) => ({ kind: "error", error }),
  );
}

function endingOf(answer: Answer): Ending {
  if (answer.kind === "response") {
    return { code: Code.OK };
  }
  if (answer.error instanceof TypeError) {
    // fetch throws it for every connection that breaks or cannot be made.
    return { code: Code.UNAVAILABLE };
  }
  const error = ConnectError.from(answer.error);
  return {
    code: toCode(error.code),
    pushback: error.metadata.get(PUSHBACK_TRAILER) ?? undefined,
    retryInfoMs: retryDelayMs(error.findDetails(RetryInfoSchema)[0]),
  };
}

function replayed(answer: Answer): boolean {
  if (answer.kind === "response") {
    return isReplayed(answer.response.header);
  }
  return answer.error instanceof ConnectError && isReplayed(answer.error.metadata);
}
