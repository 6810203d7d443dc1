/** Longer than a busy machine pauses a process that nobody stops; short, so that stops outlast it. */
export const LEASE_MS = 2_000;

export const RECOVERY_INTERVAL_MS = 500;

/** Shorter than `tok_slow` takes: its first call is always given up. */
export const PROCESSOR_TIMEOUT_MS = 2_000;

/** Longer than any one fault, so that hardly anything but `tok_never` ends parked. */
export const KEY_WINDOW_MS = 30_000;

export const SERVICES = 3;
export const REDIS_NODES = 3;

/** Clients that call at the same time. */
export const CLIENTS = 20;

export const serviceSettings: Readonly<Record<string, string>> = {
  IDEMPOTENCY_LEASE_MS: String(LEASE_MS),
  RECOVERY_INTERVAL_MS: String(RECOVERY_INTERVAL_MS),
  PROCESSOR_TIMEOUT_MS: String(PROCESSOR_TIMEOUT_MS),
  PROCESSOR_KEY_WINDOW_MS: String(KEY_WINDOW_MS),
  LOG_LEVEL: "error",
};
