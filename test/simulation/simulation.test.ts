import { describe, expect, it } from "vitest";
import { regressions } from "./regressions.js";
import { simulate } from "./simulate.js";

// SEED=n runs that one world; SEEDS=n runs more of them than usual.

const SEEDS = readNumber("SEEDS", process.env.SEEDS) ?? 3_000;
const ONLY_SEED = readNumber("SEED", process.env.SEED);

/** Seeds in one test: a second or two, so that the output shows where it is. */
const CHUNK = 100;

/** On a machine that has much else to do. Milliseconds. */
const CHUNK_LIMIT_MS = 120_000;

/** What must have happened in some world, or the rules were never put to the test. */
const SIGHTS = [
  "claim taken over",
  "payment that began with its claim",
  "step planned again",
  "complete of a late owner refused",
  "extend of a late owner refused",
  "release of a late owner refused",
  "suspend of a late owner refused",
  "capture refused: PAYMENT_BUSY",
  "capture refused: AMOUNT_EXCEEDS_AUTHORIZED",
  "refund refused: PAYMENT_NOT_REFUNDABLE",
  "capture refused: OUTCOME_UNKNOWN",
  "answer final",
  "answer not_executed",
  "answer key_reused",
  "answer key_expired",
  "answer indeterminate",
  "answer not_asked",
  "batch of claims",
  "batch of completions",
  "batch with a row that is refused",
  "batch half of which is late",
  "batch with a row that others hold",
  "together wait for a row that others hold",
  "alone wait for a row that others hold",
  "patiently wait for a row that others hold",
  "claim that follows another",
  "gate granted",
  "gate held",
  "gate hit",
  "gate recalled",
  "gate undecided",
  "gate stepped_aside",
];

async function passes(seed: number) {
  const result = await simulate(seed);
  if (result.violations.length > 0) {
    throw new Error(result.report());
  }
  return result;
}

if (ONLY_SEED !== undefined) {
  it(`seed ${ONLY_SEED} keeps every guarantee`, () => passes(ONLY_SEED), CHUNK_LIMIT_MS);
} else {
  describe("service processes, their stores and a processor under random faults", () => {
    const sights = new Set<string>();
    const firstSeeds = Array.from({ length: Math.ceil(SEEDS / CHUNK) }, (_, i) => 1 + i * CHUNK);

    it.each(firstSeeds)(
      `keep every guarantee: ${CHUNK} seeds from %i`,
      async (first) => {
        for (let seed = first; seed < first + CHUNK; seed += 1) {
          for (const sight of (await passes(seed)).sights.keys()) {
            sights.add(sight);
          }
        }
      },
      CHUNK_LIMIT_MS,
    );

    it("have met everything that the rules are there for", () => {
      expect(SIGHTS.filter((sight) => !sights.has(sight))).toEqual([]);
    });
  });

  describe("a seed", () => {
    it.each(regressions)("that found a bug passes: %i, %s", async (seed) => {
      await passes(seed);
    });

    it("repeats every event, and another seed has others", async () => {
      const hashes = new Set<string>();
      for (let seed = 1; seed <= 10; seed += 1) {
        const { traceHash } = await simulate(seed);
        expect((await simulate(seed)).traceHash()).toBe(traceHash());
        hashes.add(traceHash());
      }
      expect(hashes.size).toBe(10);
    });
  });
}

function readNumber(name: string, text: string | undefined): number | undefined {
  if (text === undefined) {
    return undefined;
  }
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 1) {
    throw new RangeError(`${name} must be a whole number from 1`);
  }
  return number;
}
