import {
  create,
  type DescMethod,
  type DescService,
  fromBinary,
  toBinary,
} from "@bufbuild/protobuf";
import type { Run } from "../execution/attempt.js";
import type { Execution } from "../execution/call.js";
import { boundMethod, type ServiceHandlers, type UnaryHandler } from "../execution/handlers.js";
import { callContext, setRequestContext } from "../execution/request-context.js";
import { okOutcome } from "../port/outcome.js";
import { type MethodPolicy, type PolicyDefaults, policiesOf } from "./policy.js";

/** A method that can be run again from the bytes of its request, with no transport. */
export interface RepeatableMethod<Transaction> {
  readonly policy: MethodPolicy;
  /** Runs the handler. Rejects with what it threw. */
  run(request: Uint8Array, execution: Execution<Transaction>): ReturnType<Run<Transaction>>;
}

/**
 * Returns the methods of a service whose policy is RERUN, by operation, for `startRecovery`.
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
    if (policy?.onLostOwner === "rerun") {
      const bound = boundMethod(method, handlers);
      if (bound.kind === "unary") {
        methods.set(policy.operation, repeatable(method, policy, bound.handler));
      }
    }
  }
  return methods;
}

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
