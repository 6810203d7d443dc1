/**
 * Moves an average towards one more value (exponential smoothing). With a
 * weight of 0.2 about the last ten values count, with 0.1 the last twenty.
 */
export function movedAverage(average: number, value: number, weight: number): number {
  return average + weight * (value - average);
}
