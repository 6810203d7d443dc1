import type { Processor } from "./processor.js";

/** A moment on the two clocks of this process. Milliseconds. */
export interface Moment {
  /** Never set, but it may stand still while the machine sleeps. */
  readonly monotonicMs: number;
  /** Since the epoch. It may be set forwards or back. */
  readonly wallMs: number;
}

export type ReadMoment = () => Moment;

export const readMoment: ReadMoment = () => ({
  monotonicMs: performance.now(),
  wallMs: Date.now(),
});

/** The age of an operation, as it was read. */
export interface Age {
  readonly begunAgoMs: number;
  /** Taken before it was read, so that nothing between counts for less. */
  readonly readAt: Moment;
}

/** The time in which an operation may be sent to the processor under its key. */
export interface KeyWindow {
  /**
   * Returns true if an operation may be sent now. To be asked right before each sending,
   * since whoever asks may have slept since it read the operation.
   */
  isOpen(operation: Age): boolean;
  /** Returns true if an operation that was sent when it began has arrived since, and as long again as is said. */
  hasArrived(operation: Age, sinceMs: number): boolean;
  /** The time for which the processor remembers a key. Milliseconds. */
  readonly windowMs: number;
  /** The longest time after its sending at which a call may still arrive. Milliseconds. */
  readonly longestCallMs: number;
  readonly readMoment: ReadMoment;
}

/**
 * The difference that clocks may have although they are right, as a part of the window: their
 * rates, and what lies between reading a clock and acting on it. Of 24 hours it
 * is half an hour.
 */
export const CLOCK_MARGIN = 1 / 50;

export interface KeyWindowOptions {
  /** The time for which the processor remembers a key. Infinity where nothing is sent. Milliseconds. */
  readonly windowMs: number;
  /** The longest time after its sending at which a call may still arrive. Milliseconds. */
  readonly longestCallMs: number;
  readonly readMoment?: ReadMoment;
}

/** The window of an acquirer that has none of its own, or is not known. Milliseconds. */
export const DEFAULT_WINDOW_MS = 24 * 3_600_000;

/** Returns the time for which a processor remembers a key. Milliseconds. */
export function keyWindowOf({ traits }: Pick<Processor, "traits">): number {
  return traits.keys?.windowMs ?? DEFAULT_WINDOW_MS;
}

/**
 * Example: of a window of 24 h with calls of 10 s at most, an operation may be
 * sent for 24 h - 10 s - 28.8 min after it began.
 * @throws RangeError if nothing of the window is left.
 */
export function createKeyWindow({
  windowMs,
  longestCallMs,
  readMoment: read = readMoment,
}: KeyWindowOptions): KeyWindow {
  const openMs = sendableMs({ windowMs, longestCallMs });
  if (!(openMs > 0)) {
    throw new RangeError(
      `a window of ${windowMs} ms leaves no time for calls of ${longestCallMs} ms`,
    );
  }
  return {
    windowMs,
    longestCallMs,
    readMoment: read,
    hasArrived: ({ begunAgoMs, readAt }, sinceMs) =>
      begunAgoMs + elapsedMs(readAt, read()) > longestCallMs + sinceMs,
    // What begins in the future by all clocks tells no age: they were set back since it began.
    isOpen: ({ begunAgoMs, readAt }) =>
      begunAgoMs >= -CLOCK_MARGIN * windowMs && begunAgoMs + elapsedMs(readAt, read()) <= openMs,
  };
}

/** Returns the time after its beginning for which an operation may be sent; 0 or less where it never may. Milliseconds. */
export function sendableMs({
  windowMs,
  longestCallMs,
}: Pick<KeyWindowOptions, "windowMs" | "longestCallMs">): number {
  return windowMs === Number.POSITIVE_INFINITY
    ? windowMs
    : windowMs * (1 - CLOCK_MARGIN) - longestCallMs;
}

/** By whichever clock says more: one of them may have stood still, or been set back. */
function elapsedMs(from: Moment, to: Moment): number {
  return Math.max(to.monotonicMs - from.monotonicMs, to.wallMs - from.wallMs);
}

/** Returns the time since an operation began, by the database's clock or by this process's, whichever says more. Milliseconds. */
export function ageOf(
  beginTime: Date,
  { byDatabaseMs, wallMs }: { readonly byDatabaseMs: number } & Pick<Moment, "wallMs">,
): number {
  return Math.max(byDatabaseMs, wallMs - beginTime.getTime());
}

/**
 * Returns the time to be stored at which an operation began, or began anew: the earlier one of the database's time
 * and this process's. Its age is then the greater one of what both say, so that
 * a clock alone that is behind, such as a promoted standby's, makes nothing younger.
 */
export function beginTimeOf(databaseTime: Date, { wallMs }: Moment): Date {
  return new Date(Math.min(databaseTime.getTime(), wallMs));
}

/** A time on the database's clock, and the moment at which it was read here. */
export interface ReadTime {
  readonly time: Date;
  readonly readAt: Moment;
}

/**
 * Returns the time on the database's clock at a later moment, without asking for it: as much
 * later as this process's own clock, which nobody sets, has gone on.
 */
export function databaseTimeAt({ time, readAt }: ReadTime, { monotonicMs }: Moment): Date {
  return new Date(time.getTime() + Math.max(0, monotonicMs - readAt.monotonicMs));
}
