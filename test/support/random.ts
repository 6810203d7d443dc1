/** Random numbers that a seed repeats. */
export interface Random {
  /** From 0 to 1, without 1. */
  next(): number;
  /** A whole number; both ends are possible. */
  integer(from: number, to: number): number;
  chance(probability: number): boolean;
  pick<Item>(items: readonly Item[]): Item;
}

/** sfc32 (Chris Doty-Humphrey, PractRand), from a seed of 32 bits. */
export function createRandom(seed: number): Random {
  let [a, b, c, counter] = [0, 0, seed | 0, 1];

  function next(): number {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  }
  for (let mixed = 0; mixed < 12; mixed += 1) {
    next();
  }

  const integer = (from: number, to: number) => from + Math.floor(next() * (to - from + 1));
  return {
    next,
    integer,
    chance: (probability) => next() < probability,
    pick(items) {
      const index = integer(0, items.length - 1);
      if (!(index in items)) {
        throw new RangeError("there is nothing to pick from");
      }
      return items[index] as (typeof items)[number]; // checked just before
    },
  };
}
