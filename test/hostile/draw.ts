import { createRandom, type Random } from "../support/random.js";
import { kinds } from "./cases/all.js";
import type { Kind } from "./kind.js";

/** One case: what its number and the seed of the run make it, whatever else runs. */
export interface Case {
  readonly number: number;
  readonly kind: Kind;
  readonly random: Random;
  readonly key: string;
}

const totalWeight = kinds.reduce((sum, { weight }) => sum + weight, 0);

/** Any odd number: seeds of neighbours must have nothing in common. */
const SEED_STEP = 0x9e3779b1;

export function drawCase(seed: number, number: number): Case {
  const random = createRandom(Math.imul(number + 1, SEED_STEP) ^ seed);
  return { number, kind: drawKind(random), random, key: `hostile-${seed}-${number}` };
}

function drawKind(random: Random): Kind {
  let left = random.next() * totalWeight;
  for (const kind of kinds) {
    left -= kind.weight;
    if (left < 0) {
      return kind;
    }
  }
  throw new RangeError("the corpus is empty");
}
