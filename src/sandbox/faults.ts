import { durationMs } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { EffectType, type Fault, FaultAction } from "../gen/payonce/sandbox/v1/sandbox_pb.js";
import { type Behaviour, PLAIN } from "./behaviours.js";
import { invalidArgument } from "./effect-request.js";

/** The faults that wait for calls. A call meets the first one that fits it, and uses it up by one. */
export interface ArmedFaults {
  /**
   * Replaces those armed before.
   * @throws ConnectError INVALID_ARGUMENT that names the field; nothing is replaced then.
   */
  arm(faults: readonly Fault[]): void;
  /** Returns the way in which the fault changes a call for an effect. */
  meetEffect(call: FaultTarget): Behaviour;
  /** Returns true if a lookup is to find nothing. */
  meetLookup(call: FaultTarget): boolean;
}

/** A call that a fault may be aimed at. */
export interface FaultTarget {
  readonly processorKey: string;
  /** The type of the effect; of a lookup, the effect that it would find, if any. */
  readonly type: EffectType | undefined;
}

interface ArmedFault {
  readonly fault: Fault;
  /** Absent for a fault that meets lookups. */
  readonly behaviour: Behaviour | undefined;
  remaining: number;
}

// More than any test arms; every call looks through them.
const ARMED_LIMIT = 1_000;
const DELAY_LIMIT_MS = 3_600_000;

export function createArmedFaults(): ArmedFaults {
  let armed: ArmedFault[] = [];

  function meet(call: FaultTarget, fits: (each: ArmedFault) => boolean) {
    const met = armed.find(
      (each) => fits(each) && isAimedAt(each.fault, call) && each.remaining > 0,
    );
    if (met !== undefined) {
      met.remaining -= 1;
    }
    return met;
  }

  return {
    arm(faults) {
      if (faults.length > ARMED_LIMIT) {
        throw invalidArgument(`faults takes at most ${ARMED_LIMIT} entries`);
      }
      armed = faults.map((fault, index) => ({
        fault,
        behaviour: toBehaviour(fault, `faults[${index}]`),
        remaining: toCount(fault, `faults[${index}]`),
      }));
    },
    meetEffect: (call) => meet(call, (each) => each.behaviour !== undefined)?.behaviour ?? PLAIN,
    meetLookup: (call) => meet(call, (each) => each.behaviour === undefined) !== undefined,
  };
}

function isAimedAt(fault: Fault, call: FaultTarget): boolean {
  return (
    (fault.effectType === EffectType.UNSPECIFIED || fault.effectType === call.type) &&
    (fault.processorKey === "" || fault.processorKey === call.processorKey)
  );
}

function toBehaviour(fault: Fault, field: string): Behaviour | undefined {
  switch (fault.action) {
    case FaultAction.DROP_BEFORE:
      return { ...PLAIN, before: [{ kind: "drop" }] };
    case FaultAction.DROP_AFTER:
      return { ...PLAIN, after: [{ kind: "drop" }] };
    case FaultAction.ERROR_BEFORE:
      return { ...PLAIN, before: [{ kind: "fail", code: toCode(fault, field) }] };
    case FaultAction.ERROR_AFTER:
      return { ...PLAIN, after: [{ kind: "fail", code: toCode(fault, field) }] };
    case FaultAction.DELAY_BEFORE:
      return { ...PLAIN, before: [{ kind: "wait", delayMs: toDelayMs(fault, field) }] };
    case FaultAction.DELAY_AFTER:
      return { ...PLAIN, after: [{ kind: "wait", delayMs: toDelayMs(fault, field) }] };
    case FaultAction.DECLINE:
      return { ...PLAIN, declineCode: fault.declineCode || "armed_decline" };
    case FaultAction.NEVER:
      return { ...PLAIN, before: [{ kind: "never" }] };
    case FaultAction.FORGET_KEY:
      return { ...PLAIN, forgetsKey: true };
    case FaultAction.HIDE_FROM_LOOKUP:
      return undefined;
    default:
      // Also numbers of a newer client: proto3 enums are open.
      throw invalidArgument(`${field}.action takes a FaultAction`);
  }
}

function toCount(fault: Fault, field: string): number {
  if (fault.count < 0) {
    throw invalidArgument(`${field}.count takes a positive number, or 0 for 1`);
  }
  return fault.count || 1;
}

function toCode(fault: Fault, field: string): Code {
  if (fault.code < 0 || fault.code > Code.Unauthenticated) {
    throw invalidArgument(`${field}.code takes a gRPC status code from 1 to 16, or 0 for 13`);
  }
  return fault.code || Code.Internal;
}

function toDelayMs(fault: Fault, field: string): number {
  const delayMs = fault.delay === undefined ? 0 : durationMs(fault.delay);
  if (delayMs <= 0 || delayMs > DELAY_LIMIT_MS) {
    throw invalidArgument(`${field}.delay takes more than 0 and at most 3600 seconds`);
  }
  return delayMs;
}
