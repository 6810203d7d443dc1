import { ServerInterceptingCall, type ServerInterceptingCallInterface } from "@grpc/grpc-js";
import { Code } from "../idempotency/answers/code.js";
import { refusal } from "../idempotency/answers/errors.js";
import { refusedReply } from "../idempotency/answers/reply.js";
import { sendReply } from "./send-reply.js";

/** The full name of the service that a method's path, such as `/acme.v1.Orders/PlaceOrder`, belongs to. */
export function serviceNameOf(path: string): string {
  return path.slice(1, path.lastIndexOf("/"));
}

/**
 * A call that is answered before its handler hears of it. Whoever installs the
 * interceptor relies on it: a service that was forgotten must not run its calls
 * as often as they are sent.
 */
export function refusedAsUnprotected(
  nextCall: ServerInterceptingCallInterface,
  serviceName: string,
): ServerInterceptingCall {
  const reply = refusedReply(
    refusal(
      "INTERNAL",
      `${serviceName} is not protected against repeated calls: wrap its definition with idempotent(service, { definition }), or pass it through by name (passThrough)`,
      { code: Code.UNIMPLEMENTED, next: "fix_request" },
    ),
  );
  return new ServerInterceptingCall(nextCall, {
    start: (next) => next({ onReceiveMetadata: () => sendReply(nextCall, reply) }),
  });
}
