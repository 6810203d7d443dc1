// Prefixes that only this program's variables are likely to have. Those of
// other programs are none of our business, such as Windows' PROCESSOR_LEVEL.
const PREFIXES = /^(IDEMPOT|PROCESSOR_|RESPONSE_CACHE_)/;

// Catches a missing "_MS" and a few slips, and spares PROCESSOR_LEVEL, which is 4 edits from PROCESSOR_URL.
const MOST_EDITS = 3;

/** The variable that was probably meant by one that does not exist, or undefined. */
export function intendedVariable(name: string, variables: readonly string[]): string | undefined {
  if (!PREFIXES.test(name) || variables.includes(name)) {
    return undefined;
  }
  const candidates = variables
    .filter((variable) => PREFIXES.test(variable))
    .map((variable) => ({ variable, edits: editDistance(name, variable) }))
    .sort((one, other) => one.edits - other.edits);
  const [nearest] = candidates;
  return nearest !== undefined && nearest.edits <= MOST_EDITS ? nearest.variable : undefined;
}

/** How many characters to insert, delete or replace to make one text the other (Levenshtein). */
function editDistance(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (const [row, character] of [...from].entries()) {
    const current = [row + 1];
    for (const [column, wanted] of [...to].entries()) {
      const replaced = (previous[column] ?? 0) + (character === wanted ? 0 : 1);
      const deleted = (previous[column + 1] ?? 0) + 1;
      const inserted = (current[column] ?? 0) + 1;
      current.push(Math.min(replaced, deleted, inserted));
    }
    previous = current;
  }
  return previous.at(-1) ?? 0;
}
