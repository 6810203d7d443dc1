import {
  type DescField,
  type DescMethod,
  type DescService,
  getOption,
  hasOption,
  ScalarType,
} from "@bufbuild/protobuf";
import type { Duration } from "@bufbuild/protobuf/wkt";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { KEY_FIELD, requiresKey } from "@payonce/client/internal";
import {
  InFlight,
  idempotency,
  OnLostOwner as OnLostOwnerOption,
} from "../../gen/payonce/idempotency/v1/options_pb.js";
import type { OnLostOwner } from "../port/store.js";

/** Durations that hold where a method's policy does not say otherwise. Milliseconds. */
export interface PolicyDefaults {
  readonly leaseMs: number;
  readonly retentionMs: number;
}

/** The defaults of the defaults: a lease of 15 s, a retention of 30 days. */
export const POLICY_DEFAULTS: PolicyDefaults = {
  leaseMs: 15_000,
  retentionMs: 30 * 24 * 3_600_000,
};

/** The time for which a duplicate waits where IN_FLIGHT_WAIT names no bound of its own. Milliseconds. */
const IN_FLIGHT_WAIT_LIMIT_MS = 10_000;

/** The policy of one method: its option, with the defaults filled in. */
export interface MethodPolicy {
  readonly operation: string;
  readonly required: boolean;
  /** The longest time for which a duplicate waits for the answer. 0: it does not wait. Milliseconds. */
  readonly inFlightWaitMs: number;
  readonly onLostOwner: OnLostOwner;
  readonly retentionMs: number;
  readonly leaseMs: number;
  /** The request's field that may carry the key. */
  readonly keyField?: DescField;
}

/** The options of a service contradict themselves. Thrown when the service is wrapped, so the server does not start. */
export class PolicyError extends Error {
  override readonly name = "PolicyError";
}

/**
 * Reads the policies of a service's methods, by the method's name in the schema.
 * Methods without side effects have none.
 * @throws PolicyError on an option that contradicts the method, or has a value that it does not accept.
 */
export function policiesOf(
  service: DescService,
  defaults: PolicyDefaults = POLICY_DEFAULTS,
): ReadonlyMap<string, MethodPolicy> {
  const policies = new Map<string, MethodPolicy>();
  const methodByOperation = new Map<string, string>();
  for (const method of service.methods) {
    const policy = policyOf(method, defaults);
    if (policy === undefined) {
      continue;
    }
    const other = methodByOperation.get(policy.operation);
    if (other !== undefined) {
      throw new PolicyError(
        `${service.typeName}: ${other} and ${method.name} share the operation "${policy.operation}"; each method needs its own operation_name`,
      );
    }
    methodByOperation.set(policy.operation, method.name);
    policies.set(method.name, policy);
  }
  return policies;
}

function policyOf(method: DescMethod, defaults: PolicyDefaults): MethodPolicy | undefined {
  const name = `${method.parent.typeName}/${method.name}`;
  if (method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS) {
    if (hasOption(method, idempotency)) {
      throw new PolicyError(`${name}: has no side effects, so it takes no idempotency option`);
    }
    return undefined;
  }
  const option = getOption(method, idempotency);
  const required = requiresKey(method);
  if (method.methodKind !== "unary") {
    if (required) {
      throw new PolicyError(
        `${name}: a stream cannot be deduplicated; declare idempotency_level = NO_SIDE_EFFECTS or {required: false}`,
      );
    }
    return undefined;
  }
  const keyField = keyFieldOf(method, name, option.keyField);
  return {
    operation: option.operationName === "" ? name : option.operationName,
    required,
    inFlightWaitMs:
      option.inFlight === InFlight.WAIT
        ? durationMs(
            option.inFlightWaitLimit,
            IN_FLIGHT_WAIT_LIMIT_MS,
            `${name}: in_flight_wait_limit`,
          )
        : 0,
    onLostOwner: option.onLostOwner === OnLostOwnerOption.RERUN ? "rerun" : "hold",
    retentionMs: durationMs(option.retention, defaults.retentionMs, `${name}: retention`),
    leaseMs: durationMs(option.lease, defaults.leaseMs, `${name}: lease`),
    ...(keyField === undefined ? {} : { keyField }),
  };
}

function keyFieldOf(method: DescMethod, name: string, keyField: string): DescField | undefined {
  const wanted = keyField === "" ? KEY_FIELD : keyField;
  const field = method.input.fields.find((candidate) => candidate.name === wanted);
  if (
    field?.fieldKind === "scalar" &&
    field.scalar === ScalarType.STRING &&
    field.oneof === undefined
  ) {
    return field;
  }
  if (keyField !== "" || field !== undefined) {
    throw new PolicyError(
      `${name}: key_field "${wanted}" must be a singular string field of ${method.input.typeName}, outside of any oneof`,
    );
  }
  return undefined;
}

function durationMs(duration: Duration | undefined, absentMs: number, what: string): number {
  if (duration === undefined) {
    return absentMs;
  }
  const ms = Number(duration.seconds) * 1000 + Math.trunc(duration.nanos / 1_000_000);
  if (!Number.isSafeInteger(ms) || ms < 1) {
    throw new PolicyError(`${what} must be at least 1 ms`);
  }
  return ms;
}
