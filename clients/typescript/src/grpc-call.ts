import {
  type InterceptingCall,
  type InterceptorOptions,
  Metadata,
  type StatusObject,
  status,
} from "@grpc/grpc-js";
import { runAttempts } from "./attempts.js";
import { Code, toCode } from "./code.js";
import { RetryInfoSchema } from "./gen/google/rpc/error_details_pb.js";
import { limitsOf } from "./grpc-limits.js";
import { type KeyedMethod, keyInBytes, randomKey } from "./keys.js";
import { KEY_METADATA, PUSHBACK_TRAILER, STATUS_DETAILS_TRAILER } from "./names.js";
import type { CallReport, ClientOptions, Environment, RetrySettings } from "./options.js";
import { isReplayed } from "./replayed.js";
import type { Ending } from "./retry.js";
import { detail, detailsIn, retryDelayMs } from "./status-details.js";

/** The calls of a chain of interceptors, as grpc-js drives them. Not exported by grpc-js. */
type GrpcCall = ConstructorParameters<typeof InterceptingCall>[0];
type Listener = NonNullable<Parameters<GrpcCall["start"]>[1]>;
type MessageContext = Parameters<GrpcCall["sendMessageWithContext"]>[0];

export interface GrpcCallOptions {
  readonly method: string;
  /** Absent where no descriptor is at hand. */
  readonly keyed: KeyedMethod | undefined;
  readonly callOptions: InterceptorOptions;
  readonly nextCall: (options: InterceptorOptions) => GrpcCall;
  readonly settings: RetrySettings;
  readonly newKey: ClientOptions["newKey"];
  readonly onReport: (report: CallReport) => void;
  readonly environment: Environment;
}

interface Answer {
  readonly headers: Metadata | undefined;
  /** Null for an error, as grpc-js has it. */
  readonly message: unknown;
  readonly status: StatusObject;
}

/** The metadata and message that the caller handed over before its half-close. */
interface Request {
  readonly metadata: Metadata;
  readonly context: MessageContext;
  readonly message: unknown;
}

/**
 * One unary call that is sent as often as its answers ask for. Nothing is sent
 * before the half-close: the key may be in the message.
 */
export function createGrpcCall(options: GrpcCallOptions): GrpcCall {
  const { callOptions, nextCall } = options;
  const cancellation = new AbortController();
  let request: Request = { metadata: new Metadata(), context: {}, message: undefined };
  let listener: Listener = {};
  let current: GrpcCall | undefined;
  let cancelled = cancelledStatus(status.CANCELLED, "Cancelled on client");

  function cancelWithStatus(code: status, details: string): void {
    cancelled = cancelledStatus(code, details);
    cancellation.abort();
    current?.cancelWithStatus(code, details);
  }

  function sendOnce({ metadata, context, message }: Request): Promise<Answer> {
    return new Promise((resolve) => {
      const call = nextCall(callOptions);
      current = call;
      let headers: Metadata | undefined;
      let response: unknown = null;
      call.start(metadata.clone(), {
        onReceiveMetadata(received) {
          headers = received;
        },
        onReceiveMessage(received) {
          response = received;
        },
        onReceiveStatus: (received) => resolve({ headers, message: response, status: received }),
      });
      call.sendMessageWithContext(context, message);
      call.halfClose();
    });
  }

  async function answer(): Promise<Answer> {
    const { method, settings, onReport, environment } = options;
    const limits = limitsOf(callOptions);
    const key = ensureKey(request, options);
    const stop = limits.onParentCancelled(() =>
      cancelWithStatus(status.CANCELLED, "Cancelled by parent call"),
    );
    const attempted = await runAttempts({
      send: () => sendOnce(request),
      endingOf,
      settings,
      signal: cancellation.signal,
      deadlineMs: environment.clock.nowMs() + limits.deadlineEpochMs - Date.now(),
      environment,
    });
    stop();
    const { attempts, answer = { headers: undefined, message: null, status: cancelled } } =
      attempted;
    onReport({ method, key, attempts, replayed: isReplayedAnswer(answer) });
    return answer;
  }

  function deliver({ headers, message, status }: Answer): void {
    if (headers !== undefined) {
      listener.onReceiveMetadata?.(headers);
    }
    listener.onReceiveMessage?.(message);
    listener.onReceiveStatus?.(status);
  }

  return {
    start(metadata, newListener = {}) {
      request = { ...request, metadata: metadata.clone() };
      listener = newListener;
    },
    sendMessageWithContext(context, message) {
      request = { ...request, context, message };
    },
    sendMessage(message) {
      request = { ...request, message };
    },
    halfClose() {
      void answer().catch(failed).then(deliver);
    },
    cancelWithStatus,
    startRead() {}, // each attempt reads its one message by itself
    getPeer: () => current?.getPeer() ?? "unknown",
    getAuthContext: () => current?.getAuthContext() ?? null,
  };
}

/** The key that all attempts carry; made and put into the metadata if there is none. */
function ensureKey(
  { metadata, message }: Request,
  { method, keyed, callOptions, newKey = randomKey }: GrpcCallOptions,
): string {
  const [inMetadata] = metadata.get(KEY_METADATA);
  const given =
    inMetadata === undefined
      ? keyed && keyInBytes(keyed, callOptions.method_definition.requestSerialize(message))
      : String(inMetadata);
  if (given !== undefined) {
    return given;
  }
  const key = newKey({ method, request: message });
  metadata.set(KEY_METADATA, key);
  return key;
}

function endingOf({ status: { code, metadata } }: Answer): Ending {
  const pushback = metadata.get(PUSHBACK_TRAILER)[0];
  const details = detailsIn(metadata.get(STATUS_DETAILS_TRAILER)[0]);
  return {
    code: toCode(code),
    pushback: pushback === undefined ? undefined : String(pushback),
    retryInfoMs: retryDelayMs(detail(details, RetryInfoSchema)),
  };
}

function isReplayedAnswer({ headers, status: { code, metadata } }: Answer): boolean {
  const entries = code === Code.OK ? headers : metadata;
  return entries !== undefined && isReplayed(entries);
}

function cancelledStatus(code: status, details: string): StatusObject {
  return { code, details, metadata: new Metadata() };
}

/** A request that cannot be serialized, or what a function of the caller's has thrown. */
function failed(error: unknown): Answer {
  const details = error instanceof Error ? error.message : String(error);
  return {
    headers: undefined,
    message: null,
    status: { code: status.INTERNAL, details, metadata: new Metadata() },
  };
}
