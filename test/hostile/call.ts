import type { DescMessage } from "@bufbuild/protobuf";
import {
  create,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { framed } from "../support/calls/hostile-grpc.js";
import { isOk, type Reply } from "./attempt.js";
import { sendGrpc } from "./send.js";
import { CALLER_TOKEN } from "./settings.js";
import type { Target } from "./target.js";

export interface Called<Output extends DescMessage> {
  readonly reply: Reply;
  /** Of an OK. */
  readonly response: MessageShape<Output> | undefined;
}

/** Calls a method as its schema says, with whatever values. */
export async function call<Input extends DescMessage, Output extends DescMessage>(
  target: Target,
  method: DescMethodUnary<Input, Output>,
  request: MessageInitShape<Input>,
  { token = CALLER_TOKEN, key }: { readonly token?: string; readonly key?: string } = {},
): Promise<Called<Output>> {
  const reply = await sendGrpc(target, {
    headers: {
      ":path": `/${method.parent.typeName}/${method.name}`,
      authorization: `Bearer ${token}`,
      ...(key === undefined ? {} : { "idempotency-key": key }),
    },
    body: framed(toBinary(method.input, create(method.input, request))),
  });
  return { reply, response: isOk(reply) ? fromBinary(method.output, reply.message) : undefined };
}
