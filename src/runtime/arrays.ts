/** Columns that a statement gets as arrays, each a name and its type, such as `amount bigint`. */
type Columns = readonly string[];

/** The arrays as parameters, numbered from `first` on. */
export function arraysOf(columns: Columns, first: number): string {
  return columns.map((column, index) => `$${first + index}::${column.split(" ")[1]}[]`).join(", ");
}

export function namesOf(columns: Columns): string {
  return columns.map((column) => column.split(" ")[0]).join(", ");
}

/** The text of a statement, made once for each work. */
export function remembered<Work extends object>(make: (work: Work) => string) {
  const texts = new Map<Work, string>();
  return (work: Work): string => {
    const text = texts.get(work) ?? make(work);
    texts.set(work, text);
    return text;
  };
}
