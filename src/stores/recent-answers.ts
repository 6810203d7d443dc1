import { LRUCache } from "lru-cache";
import type { Clock } from "../idempotency/clock.js";
import { type Outcome, sizeOfOutcome } from "../idempotency/port/outcome.js";
import type { Scope } from "../idempotency/port/scope.js";
import type { Claim } from "../idempotency/port/store.js";
import { type Fingerprint, sameRequest } from "../idempotency/request/fingerprint.js";
import { scopeKey } from "./scope-key.js";

/** The most that all answers of a process may take together by default. Bytes. */
const DEFAULT_MAX_BYTES = 32 * 1024 * 1024;

/** The size of the objects that hold an answer, besides its key and its bytes. Measured. */
const OVERHEAD_BYTES = 800;

/** Answers that this process has made durable, so that their duplicates reach nobody else. */
export interface RecentAnswers {
  /** The answer to this very request, or undefined if it is not kept, or not any more. */
  find(scope: Scope, fingerprint: Fingerprint): Outcome | undefined;
  /** Keeps the answer that a claim was completed with. What nobody asks for goes first. */
  keep(claim: Claim, outcome: Outcome, ttlMs: number): void;
}

export interface RecentAnswersOptions {
  /** Names the deployment and its generation. Once it changes, all that was kept is forgotten. */
  readonly namespace: () => string;
  readonly clock: Clock;
  readonly maxBytes: number | undefined;
}

/**
 * Bytes are kept as strings of one character each: a small buffer of its own
 * takes four times the memory, and a large one ten times as long to make.
 */
interface Kept {
  readonly version: number;
  readonly canonical: string;
  readonly raw: string;
  readonly outcome: Omit<Outcome, "body">;
  readonly body: string;
  readonly sizeBytes: number;
  readonly untilMs: number;
}

export function createRecentAnswers({
  namespace,
  clock,
  maxBytes = DEFAULT_MAX_BYTES,
}: RecentAnswersOptions): RecentAnswers {
  const answers = new LRUCache<string, Kept>({
    // One byte holds no answer.
    maxSize: Math.min(Math.max(Math.floor(maxBytes), 1), Number.MAX_SAFE_INTEGER),
    sizeCalculation: ({ sizeBytes }) => sizeBytes,
  });
  let keptFor = namespace();

  /** A restored database knows nothing of what it answered before. */
  function forgetOtherDeployments(): void {
    const current = namespace();
    if (current !== keptFor) {
      keptFor = current;
      answers.clear();
    }
  }

  return {
    find(scope, fingerprint) {
      forgetOtherDeployments();
      const kept = answers.get(scopeKey(scope));
      if (
        kept === undefined ||
        kept.untilMs <= clock.nowMs() ||
        !sameRequest(fingerprintOf(kept), fingerprint)
      ) {
        return undefined;
      }
      const { code, message, headers, trailers } = kept.outcome;
      return { code, message, headers, body: bytesOf(kept.body), trailers };
    },

    keep({ scope, fingerprint }, { body, ...outcome }, ttlMs) {
      forgetOtherDeployments();
      const key = scopeKey(scope);
      const sizeBytes = OVERHEAD_BYTES + key.length + sizeOfOutcome({ body, ...outcome });
      // One that is too large is not even copied.
      if (sizeBytes <= answers.maxSize) {
        answers.set(key, {
          version: fingerprint.version,
          canonical: textOf(fingerprint.canonical),
          raw: textOf(fingerprint.raw),
          outcome,
          body: textOf(body),
          sizeBytes,
          untilMs: clock.nowMs() + ttlMs,
        });
      }
    },
  };
}

function fingerprintOf({ version, canonical, raw }: Kept): Fingerprint {
  return { version, canonical: bytesOf(canonical), raw: bytesOf(raw) };
}

function bytesOf(text: string): Uint8Array {
  return Buffer.from(text, "latin1");
}

function textOf({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString("latin1");
}
