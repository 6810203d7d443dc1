import { once } from "node:events";
import type { ServerHttp2Stream } from "node:http2";
import { constants } from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Interruption } from "./behaviours.js";

/** The call that interruptions happen to. */
export interface InterruptedCall {
  readonly stream: ServerHttp2Stream;
  /** Aborted when the server closes. */
  readonly shutdown: AbortSignal;
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
        await untilClosed(call);
        drop(call);
        break;
    }
  }
}

/**
 * Resets the call's own stream, so that the other calls on its connection go
 * on. INTERNAL_ERROR, because clients take it for what it is: REFUSED_STREAM
 * would promise that nothing happened, CANCEL looks like their own doing.
 */
function drop({ stream }: InterruptedCall): never {
  stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  // Goes nowhere: the stream is closed. ABORTED is what the adapter does not report.
  throw new ConnectError("the call was dropped", Code.Aborted);
}

async function untilClosed({ stream, shutdown }: InterruptedCall): Promise<void> {
  if (!stream.destroyed) {
    // Rejects when the server closes, or when the stream ends in an error: over either way.
    await once(stream, "close", { signal: shutdown }).catch(() => undefined);
  }
}
