/** A command of a page, as a reader pastes it, and what it prints. */
export interface Example {
  readonly command: string;
  readonly output: string;
}

/** What stands below one second-level heading, or above the first. */
export interface Section {
  readonly title: string;
  readonly parts: readonly (string | readonly Example[])[];
}

const FENCE = /^(```console\n[\s\S]*?^```\n)/m;
const PROMPT = "$ ";

/** Takes a page apart; `renderPage` puts it together again. */
export function parsePage(text: string): readonly Section[] {
  return text.split(/^(?=## )/m).map((section) => ({
    title: section.slice(0, section.indexOf("\n")).replace(/^#+ /, ""),
    parts: section
      .split(FENCE)
      .map((part) => (part.startsWith("```console\n") ? parseBlock(part) : part)),
  }));
}

/** The page with each example replaced by what `update` returns for it. */
export function renderPage(
  sections: readonly Section[],
  update: (example: Example) => Example,
): string {
  return sections
    .flatMap(({ parts }) => parts)
    .map((part) => (typeof part === "string" ? part : renderBlock(part.map(update))))
    .join("");
}

export function examplesOf({ parts }: Section): readonly Example[] {
  return parts.flatMap((part) => (typeof part === "string" ? [] : part));
}

/** A command goes on in the next line after a backslash; what follows it is its output. */
function parseBlock(block: string): readonly Example[] {
  const examples: { command: string[]; output: string[] }[] = [];
  let inCommand = false;
  for (const line of block.split("\n").slice(1, -2)) {
    const isFirst = line.startsWith(PROMPT) && !inCommand;
    if (isFirst) {
      examples.push({ command: [], output: [] });
    }
    const current = examples.at(-1);
    if (current === undefined) {
      throw new Error(`a block must begin with a command: ${line}`);
    }
    if (isFirst || inCommand) {
      current.command.push(isFirst ? line.slice(PROMPT.length) : line);
      inCommand = line.endsWith("\\");
    } else {
      current.output.push(line);
    }
  }
  return examples.map(({ command, output }) => ({
    command: command.join("\n"),
    output: output.map((line) => `${line}\n`).join(""),
  }));
}

function renderBlock(examples: readonly Example[]): string {
  const lines = examples.map(({ command, output }) => `${PROMPT}${command}\n${output}`);
  return `\`\`\`console\n${lines.join("")}\`\`\`\n`;
}
