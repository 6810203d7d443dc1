import { once } from "node:events";
import { create, type DescMethod, type DescService, type Message } from "@bufbuild/protobuf";
import type {
  handleServerStreamingCall,
  handleUnaryCall,
  UntypedServiceImplementation,
} from "@grpc/grpc-js";
import {
  mapHandlers,
  type ServiceHandlers,
  type StreamHandler,
  type UnaryHandler,
} from "../idempotency/execution/handlers.js";
import { LazyAbort } from "../idempotency/execution/lazy-abort.js";
import { callContext } from "../idempotency/execution/request-context.js";
import { toServiceError } from "./errors.js";

/**
 * Binds typed handlers to grpc-js. An error that a handler throws becomes the status
 * of its call: grpc-js by itself would leave the caller of a rejected handler waiting.
 */
export function serviceImplementation<Service extends DescService, Transaction>(
  service: Service,
  handlers: ServiceHandlers<Service, Transaction>,
): UntypedServiceImplementation {
  return mapHandlers(service, handlers, (bound) =>
    bound.kind === "unary"
      ? unary(bound.method, bound.handler)
      : serverStreaming(bound.method, bound.handler),
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
