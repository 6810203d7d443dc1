import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import type { ProcessorTraits } from "../../../src/payments/processor.js";
import {
  sandboxProfileNames,
  sandboxProfiles,
} from "../../../src/payments/processors/sandbox-traits.js";
import { codeBlocksOf, unformatted } from "../../support/documents/code-blocks.js";

const PROJECT = fileURLToPath(new URL("../../..", import.meta.url));
const HOUR_MS = 3_600_000;

const read = (path: string) => readFileSync(join(PROJECT, path), "utf8");
const page = read("docs/write-a-processor.md");

/** The cells of an acquirer's row, from what the sandbox's adapter declares of it. */
function cellsOf({ keys, lookUp, capturesInParts }: ProcessorTraits): string[] {
  const ofKeys =
    keys === undefined
      ? ["never", "", "", "", "", ""]
      : [
          `${keys.windowMs / HOUR_MS} h`,
          `${keys.maxLength}`,
          keys.otherRequest,
          keys.inFlight,
          keys.repetition,
          keys.keepsErrors,
        ];
  const lags = lookUp !== undefined && lookUp.visibleAfterMs > 0 ? "lags" : "at once";
  return [...ofKeys, lookUp === undefined ? "none" : lags, capturesInParts ? "yes" : "no"];
}

describe("docs/write-a-processor.md", () => {
  it.each(codeBlocksOf(page))(
    "shows code of $file as it is there",
    ({ file = "a block without a file", text }) => {
      expect(unformatted(read(file))).toContain(unformatted(text));
    },
  );

  it("names entry points that the package has", () => {
    const { exports } = JSON.parse(read("package.json"));
    const named = [...page.matchAll(/`payonce\/(\w+)`/g)].map(([, path]) => `./${path}`);
    expect(new Set(named)).toEqual(new Set(["./processors", "./testing"]));
    for (const path of named) {
      expect(exports).toHaveProperty([path]);
    }
  });

  it("says of each acquirer what the sandbox takes on as its habits", () => {
    const rows = page
      .split("\n")
      .flatMap((line) => (/^\| `\w+` +\| (never|\d+ h) /.test(line) ? [line] : []))
      .map((line) => line.slice(1, -1).split("|"))
      .map((cells) => cells.map((cell) => cell.trim()));
    expect(rows).toEqual(
      sandboxProfileNames.map((name) => [`\`${name}\``, ...cellsOf(sandboxProfiles[name])]),
    );
  });

  it("is where README.md sends its readers", () => {
    expect(read("README.md")).toContain("](docs/write-a-processor.md)");
  });
});
