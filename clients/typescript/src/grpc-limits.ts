import type { EventEmitter } from "node:events";
import { type CallOptions, type Deadline, propagate } from "@grpc/grpc-js";

/** The limits that end a call from its caller's side, besides a `cancel`. */
export interface CallLimits {
  /** Milliseconds since 1970; infinite without a deadline. */
  readonly deadlineEpochMs: number;
  /** Calls back when the call that this one is made for is cancelled. Returns how to stop that. */
  onParentCancelled(callback: () => void): () => void;
}

/** Reads the options as grpc-js does: a call made for another one inherits what its flags say. */
export function limitsOf({
  deadline = Number.POSITIVE_INFINITY,
  parent,
  propagate_flags: flags = propagate.DEFAULTS,
}: CallOptions): CallLimits {
  const inherited =
    parent !== undefined && (flags & propagate.DEADLINE) !== 0
      ? epochMs(parent.getDeadline())
      : Number.POSITIVE_INFINITY;
  return {
    deadlineEpochMs: Math.min(epochMs(deadline), inherited),
    onParentCancelled(callback) {
      if (parent === undefined || (flags & propagate.CANCELLATION) === 0) {
        return () => {};
      }
      if (parent.cancelled) {
        callback();
      }
      const events: EventEmitter = parent; // a union whose members declare it differently
      events.once("cancelled", callback);
      return () => events.off("cancelled", callback);
    },
  };
}

function epochMs(deadline: Deadline): number {
  return deadline instanceof Date ? deadline.getTime() : deadline;
}
