import { fromBinary, isMessage, type Message } from "@bufbuild/protobuf";
import {
  type Deadline,
  Metadata,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  type ServerMethodDefinition,
} from "@grpc/grpc-js";
import { Code, toCode } from "../idempotency/answers/code.js";
import { firstReply, type Reply, refusedReply } from "../idempotency/answers/reply.js";
import {
  type Caller,
  DEFAULT_CALLER,
  type Execution,
  type Identification,
} from "../idempotency/execution/call.js";
import type { Executor } from "../idempotency/execution/executor.js";
import { LazyAbort } from "../idempotency/execution/lazy-abort.js";
import { setRequestContext } from "../idempotency/execution/request-context.js";
import { failureOutcome, requestInvalid, serve } from "../idempotency/execution/serve.js";
import type { Outcome, PendingOutcome } from "../idempotency/port/outcome.js";
import { KEY_METADATA } from "../idempotency/request/key.js";
import type { MethodPolicy } from "../idempotency/request/policy.js";
import { RequestInvalid } from "../idempotency/request/request-limits.js";
import {
  type ProtectedMethod,
  protectedMethodOf,
  rawRequestOf,
  UnreadableRequest,
} from "./definition.js";
import { thrownErrorOf } from "./errors.js";
import { toEntries } from "./metadata.js";
import { sendReply } from "./send-reply.js";
import { refusedAsUnprotected, serviceNameOf } from "./unprotected.js";
import { refuseUnreadable } from "./unreadable.js";

// grpc-js does not export these by name.
type Listener = Parameters<ServerInterceptingCallInterface["start"]>[0];
type Status = Parameters<ServerInterceptingCallInterface["sendStatus"]>[0];

export interface IdempotencyInterceptorOptions<Transaction> {
  readonly executor: Executor<Transaction>;
  /** Finds the caller, or the error with which the call is refused. Without it every caller is the tenant `default`. */
  readonly authenticate?: (
    metadata: Metadata,
    call: ServerInterceptingCallInterface,
  ) => Identification;
  /**
   * Services that `idempotent` has not wrapped and whose calls are let through
   * untouched, also past `authenticate`: full names, such as
   * `grpc.health.v1.Health`. Calls of any other are refused.
   */
  readonly passThrough?: readonly string[];
}

/**
 * Makes the interceptor that executes the calls of every service that
 * `idempotent` has wrapped once for each key. Calls of a service that it has not wrapped are refused with
 * UNIMPLEMENTED, unless the service is named to pass through.
 */
export function idempotencyInterceptor<Transaction = never>(
  options: IdempotencyInterceptorOptions<Transaction>,
): ServerInterceptor {
  const passing = new Set(options.passThrough);
  return (definition, nextCall) => {
    const method = protectedMethodOf(definition.requestDeserialize);
    if (method !== undefined) {
      return new ProtectedCall({ ...options, definition, nextCall, method });
    }
    const serviceName = serviceNameOf(definition.path);
    return passing.has(serviceName)
      ? new ServerInterceptingCall(nextCall)
      : refusedAsUnprotected(nextCall, serviceName);
  };
}

const ANYBODY: Identification = { kind: "caller", caller: DEFAULT_CALLER };

/** The caller, or the reply to a caller who is refused. */
type Admitted =
  | { readonly kind: "caller"; readonly caller: Caller }
  | { readonly kind: "refused"; readonly reply: Reply };

const HOLDS_NOT_ONE = new RequestInvalid("the request must hold one message");

interface ProtectedCallOptions<Transaction> extends IdempotencyInterceptorOptions<Transaction> {
  readonly definition: ServerMethodDefinition<unknown, unknown>;
  readonly nextCall: ServerInterceptingCallInterface;
  readonly method: ProtectedMethod;
}

/**
 * Stands between the transport and the handler of one call. What the handler
 * sends is held until its outcome is durable. grpc-js's own responder cannot
 * hold headers back until the status is known, hence the subclass; and its
 * listener would drop a request whose caller hangs up while the key is being
 * claimed, hence the listener of our own.
 */
class ProtectedCall<Transaction> extends ServerInterceptingCall {
  readonly #options: ProtectedCallOptions<Transaction>;
  readonly #abandoned = new LazyAbort();
  #caller: Caller = DEFAULT_CALLER;
  #metadata = new Metadata();
  #request: object | undefined;
  #isRefused = false;
  /** The response of a handler that runs under the executor. Parts that come too late end here too, and are never sent. */
  #held: HeldResponse | undefined;

  constructor(options: ProtectedCallOptions<Transaction>) {
    super(options.nextCall);
    this.#options = options;
  }

  override start(listener: Listener): void {
    const { nextCall, method, definition } = this.#options;
    const requestIsRead = refuseUnreadable(nextCall);
    nextCall.start({
      onReceiveMetadata: (metadata) => {
        const admitted = this.#identify(metadata);
        if (admitted.kind === "refused") {
          sendReply(nextCall, admitted.reply);
          return;
        }
        this.#caller = admitted.caller;
        this.#metadata = metadata;
        listener.onReceiveMetadata(metadata);
      },
      onReceiveMessage: (request: object) => {
        if (this.#isRefused) {
          return;
        }
        if (request instanceof UnreadableRequest) {
          this.#refuse(request.error);
          return;
        }
        if (this.#request !== undefined && !definition.requestStream) {
          this.#refuse(HOLDS_NOT_ONE);
          return;
        }
        this.#request = request;
        setRequestContext(request, { caller: this.#caller });
        listener.onReceiveMessage(request);
      },
      onReceiveHalfClose: () => {
        if (this.#isRefused) {
          return;
        }
        if (isPast(nextCall.getDeadline())) {
          return; // grpc-js says so to the caller; its timer is late where the process is busy
        }
        requestIsRead();
        const request = this.#request;
        if (request === undefined && !definition.requestStream) {
          this.#refuse(HOLDS_NOT_ONE);
          return;
        }
        if (method.policy === undefined || request === undefined) {
          listener.onReceiveHalfClose();
        } else {
          this.#serve(method.policy, request, listener)
            .then((reply) => sendReply(nextCall, reply))
            .catch((error) => sendReply(nextCall, firstReply(failureOutcome(error))));
        }
      },
      onCancel: () => {
        this.#abandoned.abort();
        // Work that has begun under a key is finished, whoever waits for it.
        if (this.#held === undefined) {
          listener.onCancel();
        }
      },
    });
  }

  override sendMetadata(metadata: Metadata): void {
    if (this.#held === undefined) {
      super.sendMetadata(metadata);
    } else {
      this.#held.headers.merge(metadata);
    }
  }

  override sendMessage(message: unknown, callback: () => void): void {
    if (this.#held === undefined) {
      super.sendMessage(message, callback);
    } else {
      this.#held.message = message;
      callback(); // the handler sends its status next
    }
  }

  override sendStatus(status: Status): void {
    if (this.#held === undefined) {
      super.sendStatus(status);
    } else {
      this.#held.end(status);
    }
  }

  #refuse(error: unknown): void {
    this.#isRefused = true;
    sendReply(this.#options.nextCall, refusedReply(requestInvalid(error)));
  }

  #identify(metadata: Metadata): Admitted {
    const { authenticate = () => ANYBODY, nextCall } = this.#options;
    try {
      const identification = authenticate(metadata, nextCall);
      return identification.kind === "caller"
        ? identification
        : { kind: "refused", reply: refusedReply(identification.error) };
    } catch (error) {
      return { kind: "refused", reply: firstReply(failureOutcome(error)) };
    }
  }

  /** Rejects if the request was not made by the definition that `idempotent` returned. */
  async #serve(policy: MethodPolicy, request: object, listener: Listener): Promise<Reply> {
    const { executor, method } = this.#options;
    const bytes = rawRequestOf(request);
    const desc = method.method.input;
    const abandoned = this.#abandoned;
    return serve(executor, {
      policy,
      tenant: this.#caller.tenant,
      keyMetadata: this.#metadata.get(KEY_METADATA).map(String),
      desc,
      message: isProtobufEs(request) ? request : fromBinary(desc, bytes),
      bytes,
      validate: method.validate,
      run: (execution) => this.#run(execution, request, listener),
      isAbandoned: () => abandoned.isAborted,
      get signal() {
        return abandoned.signal;
      },
    });
  }

  /** Lets the handler run and waits for its status. Rejects with what it threw. */
  #run(
    execution: Execution<Transaction> | undefined,
    request: object,
    listener: Listener,
  ): Promise<PendingOutcome> {
    const { definition } = this.#options;
    return new Promise((resolve, reject) => {
      const held: HeldResponse = {
        headers: new Metadata(),
        message: undefined,
        end(status) {
          const thrown = thrownErrorOf(status.metadata);
          if (thrown === undefined) {
            resolve(() => toOutcome(held, status, definition.responseSerialize));
          } else {
            reject(thrown);
          }
        },
      };
      this.#held = held;
      setRequestContext(
        request,
        execution === undefined
          ? { caller: this.#caller }
          : { caller: this.#caller, execution: execution as Execution<unknown> },
      );
      listener.onReceiveHalfClose();
    });
  }
}

interface HeldResponse {
  readonly headers: Metadata;
  message: unknown;
  end(status: Status): void;
}

function toOutcome(
  { headers, message }: HeldResponse,
  { code, details, metadata }: Status,
  serialize: (message: unknown) => Buffer,
): Outcome {
  const ok = code === Code.OK;
  return {
    code: toCode(code),
    message: ok ? "" : details,
    headers: ok ? toEntries(headers) : [],
    body: ok ? serialize(message) : new Uint8Array(),
    trailers: toEntries(metadata),
  };
}

function isPast(deadline: Deadline): boolean {
  return Number(deadline) <= Date.now();
}

function isProtobufEs(request: object): request is Message {
  return isMessage(request);
}
