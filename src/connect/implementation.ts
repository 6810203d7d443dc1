import type { DescService, Message } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { CallContext } from "../idempotency/call.js";
import type { ServiceHandlers } from "../idempotency/handlers.js";
import { callContext } from "../idempotency/request-context.js";
import { toConnectError } from "./errors.js";

// What the typed handlers look like once the descriptor has chosen one by name.
type Response = Record<string, unknown>;
type UnaryHandler = (request: Message, context: CallContext) => Promise<Response>;
type StreamHandler = (request: Message, context: CallContext) => AsyncIterable<Response>;

/** Binds typed handlers to Connect. What a handler throws becomes its status. */
export function serviceImplementation<Service extends DescService, Transaction>(
  service: Service,
  handlers: ServiceHandlers<Service, Transaction>,
): ServiceImpl<Service> {
  const bound = service.methods.map((method) => {
    const found: unknown = Reflect.get(handlers, method.localName);
    if (typeof found !== "function") {
      throw new TypeError(`${service.typeName}/${method.name} has no handler`);
    }
    const handler: unknown = found.bind(handlers);
    // ServiceHandlers made sure that the handler fits the method's kind.
    switch (method.methodKind) {
      case "unary":
        return [method.localName, unary(handler as UnaryHandler)] as const;
      case "server_streaming":
        return [method.localName, serverStreaming(handler as StreamHandler)] as const;
      default:
        throw new TypeError(
          `${service.typeName}/${method.name}: streams of requests are not served`,
        );
    }
  });
  return Object.fromEntries(bound) as ServiceImpl<Service>; // one for each method, of its kind
}

function unary(handler: UnaryHandler) {
  return async (request: Message, context: HandlerContext) => {
    try {
      return await handler(request, callContext(request, context));
    } catch (error) {
      throw toConnectError(error);
    }
  };
}

function serverStreaming(handler: StreamHandler) {
  return async function* (request: Message, context: HandlerContext) {
    try {
      yield* handler(request, callContext(request, context));
    } catch (error) {
      throw toConnectError(error);
    }
  };
}
