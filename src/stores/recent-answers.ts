import type { Clock } from "../idempotency/clock.js";
import { type Fingerprint, sameRequest } from "../idempotency/fingerprint.js";
import { type Outcome, sizeOfOutcome } from "../idempotency/outcome.js";
import type { Scope } from "../idempotency/scope.js";
import type { Claim } from "../idempotency/store.js";
import { scopeKey } from "./scope-key.js";

/** What all answers of a process may take together, unless it is told otherwise. Bytes. */
const DEFAULT_MAX_BYTES = 32 * 1024 * 1024;

/** What an answer takes besides its key and its bytes: the objects that hold it. Measured. */
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
  // Two halves. Once the newer one is full the older one goes, with all that
  // nobody has asked for since it was the newer one.
  let newer = new Map<string, Kept>();
  let older = new Map<string, Kept>();
  let newerBytes = 0;
  let keptFor = namespace();

  /** A restored database knows nothing of what it answered before. */
  function forgetOtherDeployments(): void {
    const current = namespace();
    if (current !== keptFor) {
      keptFor = current;
      newer.clear();
      older.clear();
      newerBytes = 0;
    }
  }

  function put(key: string, kept: Kept): void {
    if (newerBytes + kept.sizeBytes > maxBytes / 2) {
      older = newer;
      newer = new Map();
      newerBytes = 0;
    }
    newer.set(key, kept);
    newerBytes += kept.sizeBytes;
  }

  return {
    find(scope, fingerprint) {
      forgetOtherDeployments();
      const key = scopeKey(scope);
      const recent = newer.get(key);
      const kept = recent ?? older.get(key);
      if (
        kept === undefined ||
        kept.untilMs <= clock.nowMs() ||
        !sameRequest(fingerprintOf(kept), fingerprint)
      ) {
        return undefined;
      }
      if (recent === undefined) {
        put(key, kept);
      }
      const { code, message, headers, trailers } = kept.outcome;
      return { code, message, headers, body: bytesOf(kept.body), trailers };
    },

    keep({ scope, fingerprint }, outcome, ttlMs) {
      forgetOtherDeployments();
      const key = scopeKey(scope);
      const sizeBytes = OVERHEAD_BYTES + key.length + sizeOfOutcome(outcome);
      if (sizeBytes <= maxBytes / 2) {
        const { code, message, headers, body, trailers } = outcome;
        put(key, {
          version: fingerprint.version,
          canonical: textOf(fingerprint.canonical),
          raw: textOf(fingerprint.raw),
          outcome: { code, message, headers, trailers },
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
