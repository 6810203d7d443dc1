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

/** The call was ended without a reply. Goes nowhere: ABORTED is what the adapter does not report. */
export class CallDropped extends ConnectError {
  constructor() {
    super("the call was dropped", Code.Aborted);
  }
}

/**
 * Lets the interruptions happen, one after the other. A client that has hung
 * up ends a wait no sooner: what it asked for happens nevertheless.
 *
 * @throws CallDropped, or another ConnectError where the call ends in an answer.
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
  throw new CallDropped();
}
