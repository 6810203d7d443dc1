import type { Random } from "../support/random.js";

/** Longer than a busy machine pauses a process that nobody stops; short, so that stops outlast it. */
export const LEASE_MS = 2_000;

export const RECOVERY_INTERVAL_MS = 500;

/** Shorter than `tok_slow` takes: its first call is always given up. */
export const PROCESSOR_TIMEOUT_MS = 2_000;

/** What an armed fault delays a call of the processor by, at most. */
export const LONGEST_DELAY_MS = 2 * PROCESSOR_TIMEOUT_MS;

/** How long after it was sent a call may still act, with no more than the processor slow. */
export const ON_THE_WAY_MS = LONGEST_DELAY_MS + 2 * PROCESSOR_TIMEOUT_MS;

/** The same while services are stopped and networks hold back what was sent. */
export const LONG_ON_THE_WAY_MS = 15_000;

export const SERVICES = 3;
export const REDIS_NODES = 3;

/** Clients that call at the same time. */
export const CLIENTS = 20;

/** So short that windows end while the soak runs, and longer than most faults last. */
export function drawKeyWindowMs(random: Random): number {
  return 1_000 * random.integer(15, 30);
}

export function serviceSettings(keyWindowMs: number): Readonly<Record<string, string>> {
  return {
    IDEMPOTENCY_LEASE_MS: String(LEASE_MS),
    RECOVERY_INTERVAL_MS: String(RECOVERY_INTERVAL_MS),
    PROCESSOR_TIMEOUT_MS: String(PROCESSOR_TIMEOUT_MS),
    PROCESSOR_KEY_WINDOW_MS: String(keyWindowMs),
    LOG_LEVEL: "error",
  };
}
