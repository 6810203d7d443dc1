import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { settingNames, settings, variableOf } from "../../../src/server/config/settings.js";
import { createMetrics } from "../../../src/server/metrics.js";

const PROJECT = fileURLToPath(new URL("../../..", import.meta.url));

function read(path: string): string {
  return readFileSync(join(PROJECT, path), "utf8");
}

/** The rows of all tables below a heading, up to the next one, without what only aligns them. */
function tableRows(text: string, heading: string): readonly string[] {
  const [, section = ""] = text.split(`\n## ${heading}\n`);
  const [body = ""] = section.split("\n## ");
  const rows = body.split("\n").filter((line) => line.startsWith("| `"));
  return rows.map((row) => row.replace(/ +/g, " "));
}

describe("docs/operations.md", () => {
  const text = read("docs/operations.md");

  it("names every setting with its default and its meaning, as --help does", () => {
    const expected = settingNames.map((name) => {
      const { otherwise, meaning } = settings[name];
      return `| \`${variableOf(name)}\` | ${otherwise} | ${meaning} |`;
    });
    expect(tableRows(text, "Configuration")).toEqual(expected);
  });

  it("names every metric of the service's own", async () => {
    const registered = await createMetrics().registry.getMetricsAsJSON();
    const own = registered.map(({ name }) => name).filter((name) => name.startsWith("payonce_"));
    const documented = tableRows(text, "Metrics").map((row) => row.split("`")[1]);
    expect(documented.sort()).toEqual(own.sort());
  });
});

describe("README.md", () => {
  it("shows the lines that protect the example", () => {
    const [, shown = ""] = /```ts\n(.*?)```/s.exec(read("README.md")) ?? [];
    const lines = shown.split("\n").filter((line) => line !== "");
    const example = read("examples/orders/server.ts")
      .split("\n")
      .map((line) => line.trim());
    expect(lines.length).toBeGreaterThan(0);
    expect(example).toEqual(expect.arrayContaining(lines));
  });
});

describe("every document", () => {
  const listed = execFileSync("git", ["ls-files", "-co", "--exclude-standard", "--", "*.md"], {
    cwd: PROJECT,
    encoding: "utf8",
  });
  it.each(listed.split("\n").filter((path) => path !== ""))(
    "%s links to files that exist",
    (path) => {
      const targets = [...read(path).matchAll(/\]\(([^)#]+)[^)]*\)/g)].map(
        ([, target = ""]) => target,
      );
      const files = targets.filter((target) => !/^https?:/.test(target));
      expect(files.filter((file) => !existsSync(join(PROJECT, dirname(path), file)))).toEqual([]);
    },
  );
});
