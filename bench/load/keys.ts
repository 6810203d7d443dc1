import type { Traffic } from "./plan.js";

/** Duplicates repeat one of so many keys: some of those calls are in flight, some answered. */
const NEWEST_KEYS = 256;

export interface Keys {
  next(): string;
  /** How many were made that were never sent before. */
  made(): number;
}

/** The keys of one run, the same in every run but for the prefix. */
export function keysOf(traffic: Traffic, prefix: string): Keys {
  let calls = 0;
  let made = 0;
  const makeKey = () => `${prefix}-${made++}`;
  const next = () => {
    calls += 1;
    switch (traffic.kind) {
      case "new keys":
      case "one key":
        return makeKey();
      case "replays":
        return `${prefix}-${calls % traffic.keys}`;
      case "mixed": {
        const isNew = made < calls * (1 - traffic.duplicates);
        return isNew ? makeKey() : `${prefix}-${made - 1 - (calls % Math.min(made, NEWEST_KEYS))}`;
      }
    }
  };
  return { next, made: () => made };
}
