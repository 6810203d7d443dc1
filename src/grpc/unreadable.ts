import type { ServerInterceptingCallInterface } from "@grpc/grpc-js";
import { Code } from "../idempotency/answers/code.js";
import { refusedReply } from "../idempotency/answers/reply.js";
import { requestInvalid } from "../idempotency/execution/serve.js";
import { sendReply } from "./send-reply.js";

type Status = Parameters<ServerInterceptingCallInterface["sendStatus"]>[0];

// The errors that grpc-js answers by itself while it reads a request. Its codes mean something
// else by the contract: an outcome that nobody knows, or a call to be repeated.
const UNREADABLE: ReadonlyMap<number, string> = new Map([
  [Code.RESOURCE_EXHAUSTED, "the request is larger than the server accepts"],
  [Code.UNIMPLEMENTED, "the request's grpc-encoding is none of identity, deflate and gzip"],
  [Code.INTERNAL, "the request cannot be decompressed, or its grpc-timeout not be read"],
]);

/**
 * Makes REQUEST_INVALID of what grpc-js itself answers to a request that it
 * cannot read. Such an answer shows in that it has no metadata. For the call
 * that an interceptor is given, if no other one stands below it.
 *
 * @returns a function to call once the request has been read
 */
export function refuseUnreadable(call: ServerInterceptingCallInterface): () => void {
  const sendStatus = call.sendStatus.bind(call);
  let isRead = false;
  call.sendStatus = (status: Status) => {
    const problem = UNREADABLE.get(status.code);
    if (isRead || problem === undefined || (status.metadata ?? undefined) !== undefined) {
      sendStatus(status);
    } else {
      isRead = true;
      sendReply(call, refusedReply(requestInvalid(problem)));
    }
  };
  return () => {
    isRead = true;
  };
}
