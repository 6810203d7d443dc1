import type { EffectType } from "../../gen/payonce/sandbox/v1/sandbox_pb.js";
import type { Behaviour } from "../behaviours.js";
import type { Reply } from "./errors.js";

/** What a POST asks for, its parameters checked. */
export interface Operation {
  /** What it is to armed faults. */
  readonly type: EffectType;
  readonly expand: readonly string[];
  /** Returns the way in which its key's n-th call is served. */
  readonly behaviour: (keyCalls: number) => Behaviour;
  /**
   * Decides in one step, so that nothing comes between its checks and its effect.
   * @throws StripeError where the state of an object does not allow it, and
   * ConnectError RESOURCE_EXHAUSTED if nothing was decided.
   */
  readonly execute: (execution: Execution) => Executed;
}

export interface Execution {
  readonly processorKey: string;
  /** SHA-256 of the endpoint and the parameters. */
  readonly fingerprint: Uint8Array;
  /** Why it is to decline, if it is. */
  readonly declineCode: string | undefined;
}

export interface Executed {
  readonly reply: Reply;
  /** Resolves once what it did is on disk. Until then nobody may hear of it. */
  readonly durable: Promise<void>;
  /** The journal has a line from which the same answer comes again. */
  readonly isJournaled: boolean;
}
