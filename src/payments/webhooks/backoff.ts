// The Standard Webhooks specification, "Deliverability and reliability"
// (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md):
// exponential backoff with jitter over several days. Its example begins with
// 5 seconds and ends after three days.

const FIRST_DELAY_MS = 5_000;
const FACTOR = 4;

/** Half a day: with the example's last delay, a day, a receiver that is back would wait too long. Jitter included. */
const LONGEST_DELAY_MS = 12 * 3_600_000;

/** At most this part of a delay is added to it, so that events that failed together come apart. */
const JITTER_SHARE = 1 / 4;

/** An event that has failed so often is given up: after 2.7 to 3.4 days. */
export const MAX_FAILURES = 14;

/**
 * Returns the delay after an event has failed so many times one after the
 * other, in milliseconds; `undefined` once it is to be given up.
 *
 * @param random a number of [0, 1)
 */
export function retryDelayMs(failures: number, random: number): number | undefined {
  if (failures >= MAX_FAILURES) {
    return undefined;
  }
  const exponentialMs = FIRST_DELAY_MS * FACTOR ** (failures - 1);
  const delayMs = Math.min(exponentialMs, LONGEST_DELAY_MS / (1 + JITTER_SHARE));
  return delayMs * (1 + JITTER_SHARE * random);
}
