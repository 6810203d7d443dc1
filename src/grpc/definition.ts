import type { DescMethod, DescService } from "@bufbuild/protobuf";
import type { MethodDefinition, ServiceDefinition } from "@grpc/grpc-js";
import { serviceDefinition } from "@payonce/client/internal";
import {
  type ServiceValidators,
  type Validate,
  validatorOf,
} from "../idempotency/execution/handlers.js";
import {
  type MethodPolicy,
  POLICY_DEFAULTS,
  type PolicyDefaults,
  policiesOf,
} from "../idempotency/request/policy.js";
import { checkRequest, RequestInvalid } from "../idempotency/request/request-limits.js";
import { asBuffer } from "./metadata.js";

export { serviceDefinition };

/** A method of a protected service, as the interceptor meets it. */
export interface ProtectedMethod {
  readonly method: DescMethod;
  /** Absent for methods without side effects. */
  readonly policy?: MethodPolicy;
  readonly validate: Validate | undefined;
}

// The interceptor is shown a method's functions but not its definition.
const protectedMethods = new WeakMap<object, ProtectedMethod>();
// A server asks its interceptors before it decodes a request.
const intercepted = new WeakSet<object>();
const rawRequests = new WeakMap<object, Uint8Array>();

/** Bytes that are a serialized message already. */
export class SerializedMessage {
  constructor(readonly bytes: Uint8Array) {}
}

/**
 * Stands for a request that cannot be read, for the interceptor to refuse.
 * grpc-js would answer INTERNAL, which looks like an outcome that nobody knows.
 */
export class UnreadableRequest {
  constructor(readonly error: unknown) {}
}

/**
 * Protects a service: with `idempotencyInterceptor` installed, a repeated call
 * of its methods is executed once, as their options say; without it every call
 * fails. `definition` is the service's grpc-js definition if another generator
 * made it.
 * @throws PolicyError if the options contradict themselves.
 */
export function idempotent(
  service: DescService,
  options: {
    readonly definition?: ServiceDefinition;
    readonly defaults?: PolicyDefaults;
    /** Functions that find requests that are not valid, before anything is claimed for them. */
    readonly validators?: ServiceValidators<DescService>;
    /** The largest size of a request. Bytes. Default: what the server accepts at all. */
    readonly maxRequestBytes?: number;
  } = {},
): ServiceDefinition {
  const { definition = serviceDefinition(service), defaults = POLICY_DEFAULTS } = options;
  const policies = policiesOf(service, defaults);
  return Object.fromEntries(
    Object.entries(definition).map(([name, methodDefinition]) => {
      const method = service.methods.find(
        (candidate) => methodDefinition.path === `/${service.typeName}/${candidate.name}`,
      );
      if (method === undefined) {
        throw new TypeError(`${methodDefinition.path} is not a method of ${service.typeName}`);
      }
      const policy = policies.get(method.name);
      const validate = validatorOf(options.validators, method);
      const wrapped = keepBytes(methodDefinition, (bytes) => {
        checkSize(bytes, options.maxRequestBytes);
        checkRequest(method.input, bytes);
      });
      protectedMethods.set(
        wrapped.requestDeserialize,
        policy === undefined ? { method, validate } : { method, policy, validate },
      );
      return [name, wrapped];
    }),
  );
}

/** For the interceptor: finds the method that it has to protect, if `idempotent` made the definition. */
export function protectedMethodOf(requestDeserialize: object): ProtectedMethod | undefined {
  const method = protectedMethods.get(requestDeserialize);
  if (method !== undefined) {
    intercepted.add(requestDeserialize);
  }
  return method;
}

/** The bytes that a request of a protected service came in. */
export function rawRequestOf(request: object): Uint8Array {
  const bytes = rawRequests.get(request);
  if (bytes === undefined) {
    throw new TypeError("the request was replaced before the idempotency interceptor saw it");
  }
  return bytes;
}

/**
 * The same definition, but requests remember their bytes, and bytes pass as
 * responses unchanged. A server without the interceptor would execute every
 * repeated call: there no request can be decoded.
 */
function keepBytes<Request, Response>(
  definition: MethodDefinition<Request, Response>,
  check: (bytes: Uint8Array) => void,
): MethodDefinition<Request, Response> {
  const requestDeserialize = (bytes: Buffer): Request => {
    if (!intercepted.has(requestDeserialize)) {
      throw new Error(
        `${definition.path} is protected only by a server with idempotencyInterceptor`,
      );
    }
    try {
      check(bytes);
      const request = definition.requestDeserialize(bytes);
      if (typeof request === "object" && request !== null) {
        rawRequests.set(request, bytes);
      }
      return request;
    } catch (error) {
      return new UnreadableRequest(error) as Request; // never gets to a handler
    }
  };
  return {
    ...definition,
    requestDeserialize,
    responseSerialize: (response) =>
      response instanceof SerializedMessage
        ? asBuffer(response.bytes)
        : definition.responseSerialize(response),
  };
}

function checkSize(bytes: Uint8Array, maxBytes = Number.POSITIVE_INFINITY): void {
  if (bytes.length > maxBytes) {
    throw new RequestInvalid(`a request may have ${maxBytes} bytes, not ${bytes.length}`);
  }
}
