import { type Clock, sleep } from "../idempotency/clock.js";

/** After how long to look again whether older transactions have ended: they last milliseconds. It doubles each time. */
const FIRST_DELAY_MS = 10;
const LONGEST_DELAY_MS = 250;

export interface SettleOptions {
  readonly clock: Clock;
  /** Nobody waits any more. */
  readonly signal: AbortSignal;
  /** The longest time to wait. Milliseconds; default: as long as somebody waits. */
  readonly limitMs?: number;
}

/** Looks until there is something that can change no more; `undefined` once nobody waits, or the time is up. */
export async function untilSettled<Settled>(
  look: () => Promise<Settled | undefined>,
  { clock, signal, limitMs = Number.POSITIVE_INFINITY }: SettleOptions,
): Promise<Settled | undefined> {
  const endMs = clock.nowMs() + limitMs;
  let delayMs = FIRST_DELAY_MS;
  while (!signal.aborted && clock.nowMs() < endMs) {
    const settled = await look();
    if (settled !== undefined) {
      return settled;
    }
    await sleep(clock, delayMs, signal);
    delayMs = Math.min(2 * delayMs, LONGEST_DELAY_MS);
  }
  return undefined;
}
