import { once } from "node:events";
import { create, type DescMethod, type DescService, type Message } from "@bufbuild/protobuf";
import type {
  handleServerStreamingCall,
  handleUnaryCall,
  UntypedServiceImplementation,
} from "@grpc/grpc-js";
import type { CallContext } from "../idempotency/call.js";
import type { ServiceHandlers } from "../idempotency/handlers.js";
import { LazyAbort } from "../idempotency/lazy-abort.js";
import { callContext } from "../idempotency/request-context.js";
import { toServiceError } from "./errors.js";

// What the typed handlers look like once the descriptor has chosen one by name.
type Response = Record<string, unknown>;
type UnaryHandler = (request: Message, context: CallContext) => Promise<Response>;
type StreamHandler = (request: Message, context: CallContext) => AsyncIterable<Response>;

/**
 * Binds typed handlers to grpc-js. What a handler throws becomes its status:
 * grpc-js by itself would leave the caller of a rejected handler waiting.
 */
export function serviceImplementation<Service extends DescService, Transaction>(
  service: Service,
  handlers: ServiceHandlers<Service, Transaction>,
): UntypedServiceImplementation {
  return Object.fromEntries(
    service.methods.map((method) => {
      const found: unknown = Reflect.get(handlers, method.localName);
      if (typeof found !== "function") {
        throw new TypeError(`${service.typeName}/${method.name} has no handler`);
      }
      const handler: unknown = found.bind(handlers);
      // ServiceHandlers made sure that the handler fits the method's kind.
      switch (method.methodKind) {
        case "unary":
          return [method.localName, unary(method, handler as UnaryHandler)];
        case "server_streaming":
          return [method.localName, serverStreaming(method, handler as StreamHandler)];
        default:
          throw new TypeError(
            `${service.typeName}/${method.name}: streams of requests are not served`,
          );
      }
    }),
  );
}

function unary(method: DescMethod, handler: UnaryHandler): handleUnaryCall<Message, Message> {
  return (call, callback) => {
    const cancel = new LazyAbort();
    call.on("cancelled", () => cancel.abort());
    Promise.resolve()
      .then(() => handler(call.request, callContext(call.request, cancel)))
      .then((response) => create(method.output, response))
      .then(
        (response) => callback(null, response),
        (error) => callback(toServiceError(error)),
      );
  };
}

function serverStreaming(
  method: DescMethod,
  handler: StreamHandler,
): handleServerStreamingCall<Message, Message> {
  return async (call) => {
    const cancel = new AbortController();
    call.on("cancelled", () => cancel.abort());
    try {
      for await (const response of handler(call.request, callContext(call.request, cancel))) {
        if (cancel.signal.aborted) {
          return;
        }
        if (!call.write(create(method.output, response))) {
          await once(call, "drain", { signal: cancel.signal });
        }
      }
      call.end();
    } catch (error) {
      if (!cancel.signal.aborted) {
        call.emit("error", toServiceError(error));
      }
    }
  };
}
