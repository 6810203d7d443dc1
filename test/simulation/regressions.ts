const CLAIMED_AGAIN =
  "a claim's first request reached the store after its second one had been released, so a call was executed whose caller had been told for good that it was not";

/** Seeds that have found a bug, each with what it was. */
export const regressions: readonly (readonly [seed: number, bug: string])[] = [
  [34, CLAIMED_AGAIN],
  [596, CLAIMED_AGAIN],
  [3453, CLAIMED_AGAIN],
];
