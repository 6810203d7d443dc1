import { randomUUID } from "node:crypto";
import { type ChannelCredentials, Client, credentials, Metadata } from "@grpc/grpc-js";
import { readJournal } from "../../audit/read-journal.js";
import type { Code } from "../../idempotency/answers/code.js";
import { KEY_METADATA } from "../../idempotency/request/key.js";
import { type CallerResult, callUntilAnswered } from "./caller.js";

export interface StormOptions {
  /** host:port of each service process. */
  readonly targets: readonly string[];
  /** Cleartext unless given. */
  readonly credentials?: ChannelCredentials;
  /** host:port of the sandbox processor, whose journal is the judge. */
  readonly processor: string;
  readonly calls: number;
  readonly keys: number;
  readonly paymentMethod: string;
  /** A bearer token, where the service wants one. */
  readonly token?: string;
  /** The time for which callers keep retrying. Milliseconds. */
  readonly timeoutMs: number;
  readonly onProgress?: (progress: StormProgress) => void;
}

export interface StormProgress {
  readonly answered: number;
  readonly calls: number;
  readonly attempts: number;
}

export interface StormReport {
  readonly calls: number;
  readonly keys: number;
  readonly attempts: number;
  /** The number of attempts that ended with each code. */
  readonly attemptsByCode: ReadonlyMap<Code, number>;
  readonly durationMs: number;
  /** Answers that were not marked as replays. */
  readonly firstAnswers: number;
  /** The number of effects that the journal holds for the storm's payments. */
  readonly effects: number;
  /** The number of calls for an effect that the processor has got meanwhile, from anyone. */
  readonly processorCalls: number;
  /** Everything that is not as it must be; empty if each key had its effect once. */
  readonly problems: readonly string[];
}

/**
 * Sends many concurrent duplicates, spread over keys and services, and compares
 * what the callers were told with what the processor did.
 */
export async function storm(options: StormOptions): Promise<StormReport> {
  const cleartext = credentials.createInsecure();
  const services = options.targets.map(
    (target) => new Client(target, options.credentials ?? cleartext),
  );
  const processor = new Client(options.processor, cleartext);
  try {
    const before = await readJournal(processor);
    const startedAtMs = performance.now();
    const results = await sendAll(options, services);
    const durationMs = performance.now() - startedAtMs;
    const after = await readJournal(processor, before.effects.at(-1)?.sequence);
    const paymentIds = new Set(results.map(({ paymentId }) => paymentId));
    const effects = after.effects.filter(({ paymentId }) => paymentIds.has(paymentId)).length;
    return {
      calls: options.calls,
      keys: options.keys,
      attempts: results.reduce((sum, { attempts }) => sum + attempts, 0),
      attemptsByCode: countCodes(results),
      durationMs,
      firstAnswers: results.filter(({ replayed }) => !replayed).length,
      effects,
      processorCalls: Number(after.calls - before.calls),
      problems: problemsOf(results, { effects, keys: options.keys }),
    };
  } finally {
    for (const client of [...services, processor]) {
      client.close();
    }
  }
}

async function sendAll(
  options: StormOptions,
  services: readonly Client[],
): Promise<readonly CallerResult[]> {
  const { calls, keys, paymentMethod, token, onProgress } = options;
  const prefix = `storm-${randomUUID()}`;
  const giveUpAtMs = performance.now() + options.timeoutMs;
  let answered = 0;
  let attempts = 0;
  return Promise.all(
    Array.from({ length: calls }, async (_, index) => {
      const number = index % keys;
      const key = `${prefix}-${number}`;
      const metadata = new Metadata();
      metadata.set(KEY_METADATA, key);
      if (token !== undefined) {
        metadata.set("authorization", `Bearer ${token}`);
      }
      const firstService = Math.floor(index / keys) % services.length;
      const result = await callUntilAnswered({
        clients: [...services.slice(firstService), ...services.slice(0, firstService)],
        key,
        request: {
          amount: { currencyCode: "EUR", minorUnits: BigInt(1_000 + number) },
          paymentMethod,
          merchantReference: prefix,
        },
        metadata,
        giveUpAtMs,
      });
      answered += 1;
      attempts += result.attempts;
      onProgress?.({ answered, calls, attempts });
      return result;
    }),
  );
}

function countCodes(results: readonly CallerResult[]): ReadonlyMap<Code, number> {
  const counts = new Map<Code, number>();
  for (const code of results.flatMap(({ codes }) => codes)) {
    counts.set(code, (counts.get(code) ?? 0) + 1);
  }
  return counts;
}

function problemsOf(
  results: readonly CallerResult[],
  { effects, keys }: { readonly effects: number; readonly keys: number },
): readonly string[] {
  const problems: string[] = [];
  const unanswered = results.filter(({ paymentId }) => paymentId === undefined);
  if (unanswered.length > 0) {
    const codes = [...new Set(unanswered.map(({ code }) => code))].join(", ");
    problems.push(`${unanswered.length} callers ended without an answer (codes ${codes})`);
  }
  const answered = results.filter(({ paymentId }) => paymentId !== undefined);
  for (const key of new Set(answered.map((result) => result.key))) {
    const ofKey = answered.filter((result) => result.key === key);
    const answers = new Set(ofKey.map(({ answer }) => answer)).size;
    if (answers > 1) {
      problems.push(`${key}: ${answers} different answers`);
    }
    const first = ofKey.filter(({ replayed }) => !replayed).length;
    if (first > 1) {
      problems.push(`${key}: executed ${first} times`);
    }
  }
  if (effects !== keys) {
    problems.push(`the processor's journal holds ${effects} effects for ${keys} keys`);
  }
  return problems;
}
