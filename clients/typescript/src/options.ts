import { type Clock, systemClock } from "./clock.js";

/** A report on a call that needed a key. */
export interface CallReport {
  /** Such as `payonce.payments.v1.PaymentService/CreatePayment`. */
  readonly method: string;
  /** The key that every attempt carried. The same call can be sent again under it at any time. */
  readonly key: string;
  /** The number of attempts that were sent, the first included. */
  readonly attempts: number;
  /** True if the answer was given before, to an earlier attempt or call under this key. */
  readonly replayed: boolean;
}

/** A call that is about to get its key. */
export interface KeylessCall {
  /** Such as `payonce.payments.v1.PaymentService/CreatePayment`. */
  readonly method: string;
  /** The request message, as the caller passed it. */
  readonly request: unknown;
}

/** The number of a call's retries, and the delays before them. */
export interface RetrySettings {
  /** The most attempts of one call, the first included. Default 10. */
  readonly maxAttempts: number;
  /** The longest backoff before the first retry without a delay from the server; it doubles with each retry. Milliseconds. Default 100. */
  readonly initialBackoffMs: number;
  /** The longest backoff before any retry without a delay from the server. Milliseconds. Default 5000. */
  readonly maxBackoffMs: number;
}

/** The options of both interceptors. */
export interface ClientOptions extends Partial<RetrySettings> {
  /**
   * Makes the key of a call that carries none, once for a call. Default: a UUIDv4.
   * An error that it throws becomes the call's error.
   */
  readonly newKey?: (call: KeylessCall) => string;
  /** Is called for every call that needs a key, just before the call ends. Must not throw. */
  readonly onReport?: (report: CallReport) => void;
}

export const RETRY_DEFAULTS: RetrySettings = {
  maxAttempts: 10,
  initialBackoffMs: 100,
  maxBackoffMs: 5_000,
};

/**
 * The settings, with the defaults filled in.
 * @throws RangeError if one has a value that it does not accept.
 */
export function retrySettings({
  maxAttempts = RETRY_DEFAULTS.maxAttempts,
  initialBackoffMs = RETRY_DEFAULTS.initialBackoffMs,
  maxBackoffMs = RETRY_DEFAULTS.maxBackoffMs,
}: ClientOptions): RetrySettings {
  if (!Number.isInteger(maxAttempts) || maxAttempts < 1) {
    throw new RangeError("maxAttempts must be an integer of at least 1");
  }
  for (const [name, value] of Object.entries({ initialBackoffMs, maxBackoffMs })) {
    if (!Number.isFinite(value) || value < 0) {
      throw new RangeError(`${name} must be a number of milliseconds, 0 or more`);
    }
  }
  return { maxAttempts, initialBackoffMs, maxBackoffMs };
}

/** The clock and the randomness of retries, so that a test can replay them. */
export interface Environment {
  readonly clock: Clock;
  /** Returns a number from 0 to below 1. */
  readonly random: () => number;
}

export const systemEnvironment: Environment = { clock: systemClock, random: Math.random };
