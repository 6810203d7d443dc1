import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { codeBlocksOf, unformatted } from "../../support/documents/code-blocks.js";

const PROJECT = fileURLToPath(new URL("../../..", import.meta.url));

const read = (path: string) => readFileSync(join(PROJECT, path), "utf8");
const page = read("docs/bring-your-own-service.md");
const code = codeBlocksOf(page).filter(({ language }) => ["ts", "proto"].includes(language));

describe("docs/bring-your-own-service.md", () => {
  it.each(code)(
    "shows code of $file as it is there",
    ({ file = "a block without a file", text }) => {
      expect(unformatted(read(file))).toContain(unformatted(text));
    },
  );

  it("shows code of both examples", () => {
    const examples = code.flatMap(({ file }) => /^examples\/\w+/.exec(file ?? "") ?? []);
    expect(new Set(examples)).toEqual(new Set(["examples/orders", "examples/bookings"]));
  });

  it("names entry points that the package has", () => {
    const { exports } = JSON.parse(read("package.json"));
    const named = [...page.matchAll(/`payonce\/((?:grpc|connect|stores\/\w+))`/g)];
    expect(named.length).toBeGreaterThan(4);
    for (const [, path] of named) {
      expect(exports).toHaveProperty([`./${path}`]);
    }
  });
});
