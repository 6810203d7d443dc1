/**
 * Counts the characters of a text: Unicode code points, as Postgres and most
 * languages count. The `length` of a string here counts an emoji twice.
 */
export function countCharacters(text: string): number {
  let count = 0;
  for (const _character of text) {
    count += 1;
  }
  return count;
}
