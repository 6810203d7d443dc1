import type {
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import type { CallContext } from "./call.js";

/**
 * The implementation of a service, typed by its descriptor and free of any
 * transport: gRPC and Connect serve the same one. A handler throws `CallError`
 * to answer with a status.
 */
export type ServiceHandlers<Service extends DescService, Transaction = never> = {
  readonly [Name in keyof Service["method"]]: MethodHandler<Service["method"][Name], Transaction>;
};

type MethodHandler<Method, Transaction> =
  Method extends DescMethodUnary<infer Input, infer Output>
    ? (
        request: MessageShape<Input>,
        context: CallContext<Transaction>,
      ) => Promise<MessageInitShape<Output>>
    : Method extends DescMethodServerStreaming<infer Input, infer Output>
      ? (
          request: MessageShape<Input>,
          context: CallContext<Transaction>,
        ) => AsyncIterable<MessageInitShape<Output>>
      : never;
