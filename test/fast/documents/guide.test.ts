import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { codeBlocksOf, unformatted } from "../../support/documents/code-blocks.js";

const PROJECT = fileURLToPath(new URL("../../..", import.meta.url));
const GUIDE = join(PROJECT, "docs/guide");
const SNIPPETS = join(GUIDE, "snippets");

/** Drawn, not run. */
const DIAGRAM = "mermaid";

const pages = readdirSync(GUIDE).filter((name) => name.endsWith(".md"));
const blocks = pages.flatMap((page) =>
  codeBlocksOf(readFileSync(join(GUIDE, page), "utf8")).map((block) => ({ page, ...block })),
);
const code = blocks.filter(({ language }) => language !== DIAGRAM);

describe("the guide", () => {
  it.each(code)("$page shows code of $file as it is there", ({ file, text }) => {
    expect(file).toBeDefined();
    const source = readFileSync(join(GUIDE, file ?? ""), "utf8");
    expect(unformatted(source)).toContain(unformatted(text));
  });

  it("shows every snippet, and the real tests import each, or another that they import", () => {
    const folders = [join(PROJECT, "test/real/guide"), SNIPPETS];
    const sources = folders.flatMap((folder) =>
      readdirSync(folder).map((name) => join(folder, name)),
    );
    const imports = sources.map((path) => readFileSync(path, "utf8")).join("\n");
    for (const name of readdirSync(SNIPPETS)) {
      expect(code.map(({ file }) => file)).toContain(`snippets/${name}`);
      expect(imports).toContain(`/${name.replace(/\.ts$/, ".js")}"`);
    }
  });

  it("draws one diagram for each scenario of a call", () => {
    const drawn = blocks.filter(({ page, text }) => {
      return page === "deduplication.md" && text.startsWith("sequenceDiagram\n");
    });
    const headings = readFileSync(join(GUIDE, "deduplication.md"), "utf8").match(/^## \d\. /gm);
    expect(drawn).toHaveLength(8);
    expect(headings).toHaveLength(8);
  });
});
