import { type CallContext, type Caller, DEFAULT_CALLER, type Execution } from "./call.js";

/**
 * The caller and the claim of a request, as the transport gives them to the
 * handler. They are kept for the request message itself, which reaches the
 * handler through every framework unchanged.
 */
export interface RequestContext {
  readonly caller: Caller;
  readonly execution?: Execution<unknown>;
}

const contexts = new WeakMap<object, RequestContext>();

/** For transports: attaches the context before the handler runs. */
export function setRequestContext(request: object, context: RequestContext): void {
  contexts.set(request, context);
}

/** Returns the context of a request, or undefined if it did not come through a protected service. */
export function requestContext(request: object): RequestContext | undefined {
  return contexts.get(request);
}

/**
 * Returns the claim under which a handler runs, by the request that it was given.
 * Undefined if the call carried no key. `Transaction` is that of the executor's store.
 */
export function executionOf<Transaction = never>(
  request: object,
): Execution<Transaction> | undefined {
  // The transport's executor made it; its store decides the transaction's type.
  return contexts.get(request)?.execution as Execution<Transaction> | undefined;
}

/**
 * For bindings: the context that the handler of a request gets. `call` has the signal of
 * its own; under a key the claim's takes its place, which the caller cannot abort.
 */
export function callContext(request: object, call: Pick<CallContext, "signal">): CallContext {
  const { caller = DEFAULT_CALLER, execution } = requestContext(request) ?? {};
  return {
    caller,
    ...(execution === undefined ? {} : { execution }),
    get signal() {
      return (execution ?? call).signal;
    },
  };
}
