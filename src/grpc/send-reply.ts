import type { ServerInterceptingCallInterface } from "@grpc/grpc-js";
import { Code } from "../idempotency/answers/code.js";
import type { Reply } from "../idempotency/answers/reply.js";
import { SerializedMessage } from "./definition.js";
import { toMetadata } from "./metadata.js";

/** Sends a reply; one that is not an OK in trailers alone, so that native retries see it. */
export function sendReply(
  call: ServerInterceptingCallInterface,
  { code, message, headers, body, trailers }: Reply,
): void {
  const status = { code, details: message.toWellFormed(), metadata: toMetadata(trailers) };
  if (code === Code.OK) {
    call.sendMetadata(toMetadata(headers));
    call.sendMessage(new SerializedMessage(body), () => call.sendStatus(status));
  } else {
    call.sendStatus(status);
  }
}
