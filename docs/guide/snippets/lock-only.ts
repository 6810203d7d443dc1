import type Redlock from "redlock";

export interface LockOnly {
  readonly redlock: Redlock;
  readonly lockMs: number;
  /** The answers that were given, shared by all processes. */
  readonly answers: {
    get(key: string): Promise<string | undefined>;
    set(key: string, answer: string): Promise<void>;
  };
  readonly charge: (key: string) => Promise<string>;
}

/** NOT SAFE: charges a card twice whenever two callers hold the lock. */
export async function chargeUnderLock(options: LockOnly, key: string): Promise<string> {
  const { redlock, lockMs, answers, charge } = options;
  const lock = await redlock.acquire([`charge:${key}`], lockMs);
  try {
    const earlier = await answers.get(key);
    if (earlier !== undefined) {
      return earlier;
    }
    const answer = await charge(key); // nothing here knows whether the lock still holds
    await answers.set(key, answer);
    return answer;
  } finally {
    await lock.release().catch(() => {});
  }
}
