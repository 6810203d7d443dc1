import {
  create,
  type DescMessage,
  type DescMethod,
  type DescService,
  fromBinary,
  type Message,
  type MessageInitShape,
  toBinary,
} from "@bufbuild/protobuf";
import { ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import { Code } from "../idempotency/answers/code.js";
import { refusedReply } from "../idempotency/answers/reply.js";
import type { Caller, Execution } from "../idempotency/execution/call.js";
import type { Executor } from "../idempotency/execution/executor.js";
import {
  functionOf,
  type ServiceValidators,
  validatorOf,
} from "../idempotency/execution/handlers.js";
import { setRequestContext } from "../idempotency/execution/request-context.js";
import { requestInvalid, serve } from "../idempotency/execution/serve.js";
import { type Outcome, okOutcome } from "../idempotency/port/outcome.js";
import { KEY_METADATA } from "../idempotency/request/key.js";
import {
  type MethodPolicy,
  type PolicyDefaults,
  policiesOf,
} from "../idempotency/request/policy.js";
import { type Authenticate, callerOf } from "./authenticate.js";
import {
  assertAwaited,
  GOES_ON,
  GOES_ON_WITHOUT_KEY,
  itemsUntilDeadline,
  untilDeadline,
} from "./deadline.js";
import { connectErrorOf, outcomeOf, unwrapConnectError } from "./errors.js";
import { appendEntries, toEntries } from "./metadata.js";

export interface IdempotentOptions<Transaction> {
  readonly executor: Executor<Transaction>;
  /** Finds the caller, or the error with which the call is refused. Without it every caller is the tenant `default`. */
  readonly authenticate?: Authenticate;
  readonly defaults?: PolicyDefaults;
  /** Functions that find requests that are not valid, before anything is claimed for them. */
  readonly validators?: ServiceValidators<DescService> | undefined;
}

type Handler = (request: object, context: HandlerContext) => unknown;
type UnaryHandler = (
  request: Message,
  context: HandlerContext,
) => Promise<MessageInitShape<DescMessage>> | MessageInitShape<DescMessage>;

/**
 * Protects the implementation of a service: a repeated call of its methods is
 * executed once, as their options say. It wraps the implementation rather than
 * being an interceptor because only an implementation is given the response's
 * headers and trailers: an interceptor that answers by itself loses the ones
 * that the protocols need.
 * @throws PolicyError if the service's options contradict themselves.
 */
export function idempotent<Service extends DescService, Transaction = never>(
  service: Service,
  implementation: Partial<ServiceImpl<Service>>,
  options: IdempotentOptions<Transaction>,
): Partial<ServiceImpl<Service>> {
  const policies = policiesOf(service, options.defaults);
  const handlers = service.methods.flatMap((method) => {
    const found = functionOf(implementation, method);
    if (found === undefined) {
      return []; // Connect answers UNIMPLEMENTED
    }
    // ServiceImpl made sure that the handler fits the method's kind.
    const handler = found as Handler & UnaryHandler;
    const policy = policies.get(method.name); // only unary methods have one
    const wrapped =
      policy === undefined
        ? identified(handler, options.authenticate)
        : executedOnce({ ...options, method, policy, handler });
    return [[method.localName, wrapped] as const];
  });
  // Each handler has the type of the one that it wraps.
  return Object.fromEntries(handlers) as Partial<ServiceImpl<Service>>;
}

function identified(handler: Handler, authenticate?: Authenticate): Handler {
  return (request, context) => {
    setRequestContext(request, { caller: callerOf(context, authenticate) });
    assertAwaited(context);
    const answer = handler(request, context);
    return isAsyncIterable(answer)
      ? itemsUntilDeadline(context, answer)
      : untilDeadline(context, Promise.resolve(answer));
  };
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}

interface ProtectedMethod<Transaction> extends IdempotentOptions<Transaction> {
  readonly method: DescMethod;
  readonly policy: MethodPolicy;
  readonly handler: UnaryHandler;
}

function executedOnce<Transaction>(options: ProtectedMethod<Transaction>): UnaryHandler {
  const { method, policy, executor, authenticate } = options;
  const validate = validatorOf(options.validators, method);
  return async (request, context) => {
    const caller = callerOf(context, authenticate);
    assertAwaited(context);
    const key = context.requestHeader.get(KEY_METADATA);
    let passed = GOES_ON;
    const served = serve(executor, {
      policy,
      tenant: caller.tenant,
      // A header that was sent twice arrives as one, with a space between, which no key has.
      keyMetadata: key === null ? [] : [key],
      desc: method.input,
      message: request,
      bytes: requestBytes(method.input, request),
      validate,
      run: (execution) => {
        if (execution === undefined) {
          passed = GOES_ON_WITHOUT_KEY;
        }
        return run(options, { request, context, caller, execution });
      },
      isAbandoned: () => context.signal.aborted,
      signal: context.signal,
    });
    const reply = await untilDeadline(context, served, () => passed);
    if (reply.code !== Code.OK) {
      throw connectErrorOf(reply);
    }
    appendEntries(context.responseHeader, reply.headers);
    appendEntries(context.responseTrailer, reply.trailers);
    return fromBinary(method.output, reply.body);
  };
}

/**
 * The request as this build encodes it. Connect keeps no bytes, and from JSON
 * there are none. It makes no difference: a build encodes equal messages alike,
 * and across builds and transports the canonical form decides.
 */
function requestBytes(desc: DescMessage, request: Message): Uint8Array {
  try {
    return toBinary(desc, request);
  } catch (error) {
    // JSON without a field that proto2 requires, for one.
    throw connectErrorOf(refusedReply(requestInvalid(error)));
  }
}

interface Call<Transaction> {
  readonly request: Message;
  readonly context: HandlerContext;
  readonly caller: Caller;
  readonly execution: Execution<Transaction> | undefined;
}

/** Lets the handler run. Rejects with what it threw, unless that is an answer. */
async function run<Transaction>(
  { method, handler }: ProtectedMethod<Transaction>,
  { request, context, caller, execution }: Call<Transaction>,
): Promise<Outcome> {
  setRequestContext(
    request,
    execution === undefined ? { caller } : { caller, execution: execution as Execution<unknown> }, // the executor's store knows the type
  );
  // Nothing of the handler's goes out before its outcome is durable, and a
  // caller that hangs up, or waits no longer, stops no work that has begun.
  const held: HandlerContext = {
    ...context,
    signal: execution?.signal ?? new AbortController().signal,
    timeoutMs: () => undefined,
    responseHeader: new Headers(),
    responseTrailer: new Headers(),
  };
  try {
    const response = create(method.output, await handler(request, held));
    return {
      ...okOutcome(toBinary(method.output, response)),
      headers: toEntries(held.responseHeader),
      trailers: toEntries(held.responseTrailer),
    };
  } catch (error) {
    const thrown = unwrapConnectError(error);
    if (thrown instanceof ConnectError) {
      return outcomeOf(thrown);
    }
    throw thrown;
  }
}
