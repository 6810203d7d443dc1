import { Code } from "./code.js";
import type { RetrySettings } from "./options.js";

/** The parts of an answer that decide whether another attempt is worth making. */
export interface Ending {
  readonly code: Code;
  /** The trailer `grpc-retry-pushback-ms`, as it came. */
  readonly pushback?: string | undefined;
  /** The delay of `google.rpc.RetryInfo`. */
  readonly retryInfoMs?: number | undefined;
}

export type Decision =
  | { readonly kind: "final" }
  | { readonly kind: "retry"; readonly serverDelayMs?: number };

/** A longer one would make `setTimeout` fire at once. */
const MAX_DELAY_MS = 2 ** 31 - 1;

/**
 * CANCELLED, because both transports say so of a connection that broke. It is
 * for the caller of this function to know that nobody cancelled.
 */
const RETRYABLE: ReadonlySet<Code> = new Set([Code.ABORTED, Code.UNAVAILABLE, Code.CANCELLED]);

/** Decides whether an attempt that ended so, and was not cancelled by its caller, is worth another. */
export function decide({ code, pushback, retryInfoMs }: Ending): Decision {
  if (code === Code.OK) {
    return { kind: "final" };
  }
  if (pushback !== undefined) {
    // Whatever is no delay means "do not retry" (gRFC A6).
    return /^\d+$/.test(pushback)
      ? { kind: "retry", serverDelayMs: Number(pushback) }
      : { kind: "final" };
  }
  if (retryInfoMs !== undefined) {
    return { kind: "retry", serverDelayMs: Math.max(0, retryInfoMs) };
  }
  return { kind: RETRYABLE.has(code) ? "retry" : "final" };
}

/** Returns the time to wait before a retry: never less than the server asked for. Milliseconds. */
export function delayMs(
  retry: { readonly serverDelayMs?: number; readonly retriesBefore: number },
  { initialBackoffMs, maxBackoffMs }: RetrySettings,
  random: () => number,
): number {
  const { serverDelayMs, retriesBefore } = retry;
  const chosen =
    serverDelayMs === undefined
      ? random() * Math.min(maxBackoffMs, initialBackoffMs * 2 ** retriesBefore)
      : // Callers who were told the same do not come back together.
        serverDelayMs + random() * initialBackoffMs;
  return Math.min(chosen, MAX_DELAY_MS);
}
