import {
  create,
  type DescMessage,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { type CallOptions, type Client, Metadata } from "@grpc/grpc-js";
import { type Code, toCode } from "../idempotency/answers/code.js";
import type { MetadataEntry } from "../idempotency/port/outcome.js";
import { asBuffer, toEntries } from "./metadata.js";

/** All that a unary call brought back, whether it succeeded or not. */
export interface UnaryResult<Output extends DescMessage> {
  readonly code: Code;
  readonly message: string;
  readonly headers: readonly MetadataEntry[];
  readonly trailers: readonly MetadataEntry[];
  /** The serialized response message; empty for an error. */
  readonly body: Uint8Array;
  /** Absent for an error. */
  readonly response?: MessageShape<Output>;
}

export interface UnaryCall<Input extends DescMessage, Output extends DescMessage> {
  readonly method: DescMethodUnary<Input, Output>;
  readonly request: MessageInitShape<Input>;
  readonly metadata?: Metadata;
  /** The longest time for which the call may take. Milliseconds. */
  readonly timeoutMs?: number;
}

/** Calls a method of a service that buf generated. Never rejects: an error is a result too. */
export function callUnary<Input extends DescMessage, Output extends DescMessage>(
  client: Client,
  { method, request, metadata = new Metadata(), timeoutMs }: UnaryCall<Input, Output>,
): Promise<UnaryResult<Output>> {
  return new Promise((resolve) => {
    let headers: readonly MetadataEntry[] = [];
    let answer: Pick<UnaryResult<Output>, "body" | "response"> = { body: new Uint8Array() };
    const options: CallOptions =
      timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs };
    const call = client.makeUnaryRequest(
      `/${method.parent.typeName}/${method.name}`,
      (message: MessageShape<Input>) => asBuffer(toBinary(method.input, message)),
      (bytes) => ({ body: bytes, response: fromBinary(method.output, bytes) }),
      create(method.input, request),
      metadata,
      options,
      (_error, received) => {
        answer = received ?? answer;
      },
    );
    call.on("metadata", (received: Metadata) => {
      headers = toEntries(received);
    });
    call.on("status", ({ code, details, metadata: trailers }) => {
      // Emitted before the callback, which has the body.
      setImmediate(() =>
        resolve({
          code: toCode(code),
          message: details,
          headers,
          trailers: toEntries(trailers),
          ...answer,
        }),
      );
    });
  });
}
