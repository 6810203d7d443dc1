import type { DescService, Message } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import {
  mapHandlers,
  type ServiceHandlers,
  type StreamHandler,
  type UnaryHandler,
} from "../idempotency/execution/handlers.js";
import { callContext } from "../idempotency/execution/request-context.js";
import { toConnectError } from "./errors.js";

/** Binds typed handlers to Connect. An error that a handler throws becomes the status of its call. */
export function serviceImplementation<Service extends DescService, Transaction>(
  service: Service,
  handlers: ServiceHandlers<Service, Transaction>,
): ServiceImpl<Service> {
  const implementation = mapHandlers(service, handlers, (bound) =>
    bound.kind === "unary" ? unary(bound.handler) : serverStreaming(bound.handler),
  );
  return implementation as ServiceImpl<Service>; // one for each method, of its kind
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
