import {
  create,
  type DescMethod,
  type DescService,
  fromBinary,
  type Message,
  toBinary,
} from "@bufbuild/protobuf";
import type { Run } from "./attempt.js";
import type { CallContext, Execution } from "./call.js";
import type { ServiceHandlers } from "./handlers.js";
import { okOutcome } from "./outcome.js";
import { type MethodPolicy, type PolicyDefaults, policiesOf } from "./policy.js";
import { callContext, setRequestContext } from "./request-context.js";

/** A method that can be run again from the bytes of its request, with no transport. */
export interface RepeatableMethod<Transaction> {
  readonly policy: MethodPolicy;
  /** Rejects with what the handler threw. */
  run(request: Uint8Array, execution: Execution<Transaction>): ReturnType<Run<Transaction>>;
}

/**
 * The methods of a service whose policy allows another attempt, by operation.
 * @throws PolicyError if the service's options contradict themselves.
 */
export function repeatableMethods<Service extends DescService, Transaction>(
  service: Service,
  handlers: ServiceHandlers<Service, Transaction>,
  defaults?: PolicyDefaults,
): ReadonlyMap<string, RepeatableMethod<Transaction>> {
  const policies = policiesOf(service, defaults);
  const methods = new Map<string, RepeatableMethod<Transaction>>();
  for (const method of service.methods) {
    const policy = policies.get(method.name);
    if (method.methodKind === "unary" && policy?.onLostOwner === "rerun") {
      const handler: unknown = Reflect.get(handlers, method.localName);
      // ServiceHandlers made sure that the handler fits the method.
      methods.set(policy.operation, repeatable(method, policy, handler as UnaryHandler));
    }
  }
  return methods;
}

type UnaryHandler = (request: Message, context: CallContext) => Promise<Record<string, unknown>>;

function repeatable<Transaction>(
  method: DescMethod,
  policy: MethodPolicy,
  handler: UnaryHandler,
): RepeatableMethod<Transaction> {
  return {
    policy,
    async run(bytes, execution) {
      const request = fromBinary(method.input, bytes);
      const { tenant } = execution.scope;
      setRequestContext(request, {
        caller: { tenant, role: "caller" },
        execution: execution as Execution<unknown>, // the executor's store knows the type
      });
      const response = await handler(request, callContext(request, execution));
      return () => okOutcome(toBinary(method.output, create(method.output, response)));
    },
  };
}
