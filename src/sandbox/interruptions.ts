import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Interruption } from "./behaviours.js";

/** The call that interruptions happen to, whichever face it came through. */
export interface InterruptedCall {
  /** Ends the call without a reply. */
  reset(): void;
  /** Resolves once the client has given up, or the server closes. */
  untilClosed(): Promise<void>;
  /** Aborted when the server closes. */
  readonly shutdown: AbortSignal;
}

const DROPPED = Symbol("dropped");

/** Whether an error says that its call was ended without a reply. */
export function isDropped(error: unknown): boolean {
  return error instanceof ConnectError && error.cause === DROPPED;
}

/**
 * Lets the interruptions happen, one after the other. A client that has hung
 * up ends a wait no sooner: what it asked for happens nevertheless.
 *
 * @throws ConnectError where the call ends here.
 */
export async function interrupt(
  interruptions: readonly Interruption[],
  call: InterruptedCall,
): Promise<void> {
  for (const interruption of interruptions) {
    switch (interruption.kind) {
      case "wait":
        await sleep(interruption.delayMs, undefined, { signal: call.shutdown }).catch(() =>
          drop(call),
        );
        break;
      case "drop":
        drop(call);
        break;
      case "fail":
        throw new ConnectError("the sandbox was told to fail this call", interruption.code);
      case "never":
        await call.untilClosed();
        drop(call);
        break;
    }
  }
}

function drop(call: InterruptedCall): never {
  call.reset();
  // Goes nowhere: the call has ended. ABORTED is what the adapter does not report.
  throw new ConnectError("the call was dropped", Code.Aborted, undefined, undefined, DROPPED);
}
