import type { DescService } from "@bufbuild/protobuf";
import {
  type CallOptions,
  type ChannelOptions,
  InterceptingCall,
  type Interceptor,
  type InterceptorOptions,
} from "@grpc/grpc-js";
import { createGrpcCall } from "./grpc-call.js";
import { type KeyedMethod, keyedMethod, nameOf } from "./keys.js";
import {
  type CallReport,
  type ClientOptions,
  type Environment,
  retrySettings,
  systemEnvironment,
} from "./options.js";

/** Says which calls of grpc-js need a key: those that either of the two names. At least one must be given. */
export interface KeyedCalls {
  /** The methods of these services that need a key by their idempotency options. */
  readonly services?: readonly DescService[];
  /**
   * Returns true for a method that needs a key, where no descriptors are at hand.
   * It gets the method's name, such as `acme.v1.Orders/PlaceOrder`. A key of the
   * caller's own must then be in the metadata, because nothing says which of the
   * request's fields may carry it.
   */
  readonly needsKey?: (method: string) => boolean;
}

export type GrpcClientOptions = ClientOptions & KeyedCalls;

/**
 * Options for a channel whose calls the interceptor retries: grpc-js must not
 * do so as well, or each attempt of the one becomes several of the other.
 */
export const NATIVE_RETRIES_OFF: ChannelOptions = { "grpc.enable_retries": 0 };

const ON_REPORT = Symbol("onReport");

interface ReportedCallOptions extends CallOptions {
  readonly [ON_REPORT]?: (report: CallReport) => void;
}

/**
 * Makes the options of one call whose report goes to `onReport`, just before the call ends:
 *
 * ```ts
 * payments.createPayment(request, withReport(({ key }) => log(key), { deadline }), callback);
 * ```
 */
export function withReport(
  onReport: (report: CallReport) => void,
  options: CallOptions = {},
): CallOptions {
  const reported: ReportedCallOptions = { ...options, [ON_REPORT]: onReport };
  return reported;
}

/**
 * Makes an interceptor that gives every call of grpc-js that needs one an
 * idempotency key, and retries it under that key, so that it never becomes a second
 * call. It takes part in unary calls only.
 *
 * @param environment The clock and the randomness of retries; tests replace them.
 * @throws RangeError if an option has a value that it does not accept.
 */
export function grpcInterceptor(
  options: GrpcClientOptions,
  environment: Environment = systemEnvironment,
): Interceptor {
  const settings = retrySettings(options);
  const find = keyedCalls(options);
  return (callOptions: InterceptorOptions & ReportedCallOptions, nextCall) => {
    const { path, requestStream, responseStream } = callOptions.method_definition;
    const method = path.slice(1);
    const found = requestStream || responseStream ? undefined : find(method);
    if (found === undefined) {
      return new InterceptingCall(nextCall(callOptions));
    }
    const call = createGrpcCall({
      method,
      keyed: found.keyed,
      callOptions,
      nextCall,
      settings,
      newKey: options.newKey,
      onReport(report) {
        options.onReport?.(report);
        callOptions[ON_REPORT]?.(report);
      },
      environment,
    });
    return new InterceptingCall(call);
  };
}

type Find = (method: string) => { readonly keyed?: KeyedMethod } | undefined;

function keyedCalls({ services, needsKey }: KeyedCalls): Find {
  if (services === undefined && needsKey === undefined) {
    throw new RangeError("one of services and needsKey must be given: else no call gets a key");
  }
  const byName = new Map<string, { readonly keyed: KeyedMethod }>();
  for (const method of (services ?? []).flatMap(({ methods }) => methods)) {
    const keyed = keyedMethod(method);
    if (keyed !== undefined) {
      byName.set(nameOf(method), { keyed });
    }
  }
  return (method) => byName.get(method) ?? (needsKey?.(method) ? {} : undefined);
}
