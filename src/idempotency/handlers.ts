import type {
  DescMethod,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  Message,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import type { CallContext } from "./call.js";
import type { ErrorDescription } from "./errors.js";

/**
 * The implementation of a service, typed by its descriptor and free of any
 * transport: gRPC and Connect serve the same one. A handler throws `CallError`
 * to answer with a status.
 */
export type ServiceHandlers<Service extends DescService, Transaction = never> = {
  readonly [Name in keyof Service["method"]]: MethodHandler<Service["method"][Name], Transaction>;
};

/**
 * What is wrong with a request or its key, by method; undefined where nothing
 * is. Asked before anything is claimed, so that a request that is not valid
 * writes nothing. Must not depend on anything but the two.
 */
export type ServiceValidators<Service extends DescService> = {
  readonly [Name in keyof Service["method"]]?: Service["method"][Name] extends DescMethodUnary<
    infer Input
  >
    ? (request: MessageShape<Input>, key: string) => ErrorDescription | undefined
    : never;
};

/** The validator of one method, as a binding finds it. */
export type Validate = (request: Message, key: string) => ErrorDescription | undefined;

/** The validator of a method, if it has one. */
export function validatorOf(
  validators: ServiceValidators<DescService> | undefined,
  method: DescMethod,
): Validate | undefined {
  const found: unknown = validators && Reflect.get(validators, method.localName);
  // ServiceValidators made sure that it takes the method's requests.
  return typeof found === "function" ? (found as Validate) : undefined;
}

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
