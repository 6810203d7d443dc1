/** A fenced block of a page, whose first line names its language and the file it is taken from. */
export interface CodeBlock {
  readonly language: string;
  readonly file: string | undefined;
  readonly text: string;
}

export function codeBlocksOf(page: string): readonly CodeBlock[] {
  return [...page.matchAll(/^```(\S*)(?: (\S+))?\n(.*?)^```$/gms)].map(
    ([, language = "", file, text = ""]) => ({ language, file, text }),
  );
}

/** Code without what its formatter decides: white space, and commas before what closes or at the end. */
export function unformatted(code: string): string {
  return code.replaceAll(/\s/g, "").replaceAll(/,(?=[)\]}]|$)/g, "");
}
