import type {
  DescMethod,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  Message,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import type { ErrorDescription } from "../answers/errors.js";
import type { CallContext } from "./call.js";

/**
 * The implementation of a service, typed by its descriptor and free of any
 * transport: gRPC and Connect serve the same one. A handler throws `CallError`
 * to answer with a status.
 */
export type ServiceHandlers<Service extends DescService, Transaction = never> = {
  readonly [Name in keyof Service["method"]]: MethodHandler<Service["method"][Name], Transaction>;
};

/**
 * Validators, by method. A validator returns the error of a request or its key,
 * or undefined where both are valid. It is asked before anything is claimed, so
 * that a request that is not valid writes nothing. It must not depend on
 * anything but the two.
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
  // ServiceValidators made sure that it takes the method's requests.
  return validators && (functionOf(validators, method) as Validate | undefined);
}

// The types of handlers once a descriptor has chosen one by name.
type Response = Record<string, unknown>;
export type UnaryHandler = (request: Message, context: CallContext) => Promise<Response>;
export type StreamHandler = (request: Message, context: CallContext) => AsyncIterable<Response>;

/** A method with its handler, for whoever binds it to a transport or wraps it. */
export type BoundMethod =
  | { readonly kind: "unary"; readonly method: DescMethod; readonly handler: UnaryHandler }
  | {
      readonly kind: "server_streaming";
      readonly method: DescMethod;
      readonly handler: StreamHandler;
    };

/** @throws TypeError if there is no handler, or the method has a stream of requests. */
export function boundMethod<Service extends DescService, Transaction>(
  method: DescMethod,
  handlers: ServiceHandlers<Service, Transaction>,
): BoundMethod {
  const name = `${method.parent.typeName}/${method.name}`;
  const handler = functionOf(handlers, method);
  if (handler === undefined) {
    throw new TypeError(`${name} has no handler`);
  }
  // ServiceHandlers made sure that the handler fits the method's kind.
  switch (method.methodKind) {
    case "unary":
      return { kind: "unary", method, handler: handler as UnaryHandler };
    case "server_streaming":
      return { kind: "server_streaming", method, handler: handler as StreamHandler };
    default:
      throw new TypeError(`${name}: streams of requests are not served`);
  }
}

/** Maps each handler of a service; the results are keyed by the method's local name. */
export function mapHandlers<Service extends DescService, Transaction, Result>(
  service: Service,
  handlers: ServiceHandlers<Service, Transaction>,
  map: (bound: BoundMethod) => Result,
): Record<string, Result> {
  return Object.fromEntries(
    service.methods.map((method) => [method.localName, map(boundMethod(method, handlers))]),
  );
}

/** An object's own function for a method, if it has one. */
export function functionOf(owner: object, { localName }: DescMethod): unknown {
  const found: unknown = Reflect.get(owner, localName);
  return typeof found === "function" ? found.bind(owner) : undefined;
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
