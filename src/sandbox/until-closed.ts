import { once } from "node:events";
import type { Stream } from "node:stream";

/** Resolves once a call's stream is closed, or the server closes. */
export async function untilClosed(
  stream: Stream & { readonly destroyed: boolean },
  shutdown: AbortSignal,
): Promise<void> {
  if (!stream.destroyed) {
    // Rejects when the server closes, or when the stream ends in an error: over either way.
    await once(stream, "close", { signal: shutdown }).catch(() => undefined);
  }
}
