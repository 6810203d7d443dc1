import type { Clock } from "../clock.js";

/**
 * The number of times that a store which fails is asked. Every call of an owner may be
 * repeated; a store that is away for longer leaves the claim to its lease.
 */
const STORE_ATTEMPTS = 3;
const FIRST_STORE_DELAY_MS = 100;

/** Asks a store that fails again, and then throws its last error. */
export async function retrying<Result>(clock: Clock, call: () => Promise<Result>): Promise<Result> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await call();
    } catch (error) {
      if (tries === STORE_ATTEMPTS) {
        throw error;
      }
      await new Promise<void>((resolve) => clock.setTimer(FIRST_STORE_DELAY_MS * tries, resolve));
    }
  }
}
