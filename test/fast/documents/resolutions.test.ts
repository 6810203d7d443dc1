import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import type { RecordState } from "../../../src/idempotency/port/store.js";
import {
  cellTexts,
  heldElsewhere,
  heldPayments,
  nextCalls,
  notHeld,
  paymentText,
  resolutions,
  runsText,
} from "../../support/operators/resolution-table.js";

const PROJECT = fileURLToPath(new URL("../../..", import.meta.url));

const read = (path: string) => readFileSync(join(PROJECT, path), "utf8");

/** The cells of a page's table whose first column has this heading. */
function tableOf(page: string, heading: string): readonly (readonly string[])[] {
  const lines = page.split("\n");
  const start = lines.findIndex((line) => line.startsWith(`| ${heading} `));
  const end = lines.findIndex((line, index) => index > start && !line.startsWith("|"));
  const rows = lines.slice(start, end).map((line) => line.slice(1, -1).split("|"));
  return rows.map((cells) => cells.map((cell) => cell.trim()));
}

const expected = [
  ...heldPayments.map((row) => cellTexts(row, paymentText)),
  ...heldElsewhere.map((row) => cellTexts(row, runsText)),
  ...notHeld.map((row) => cellTexts(row, paymentText)),
];

describe("docs/resolutions.md", () => {
  const [header = [], , ...shown] = tableOf(read("docs/resolutions.md"), "record");

  it("has a column for each call that may come next", () => {
    expect(header.slice(0, 3)).toEqual(["record", "resolution", "`ResolveKey`, and then"]);
    const next = header.slice(3);
    expect(next).toHaveLength(nextCalls.length);
    for (const [index, call] of nextCalls.entries()) {
      expect(next[index]).toContain(call);
    }
  });

  it.each(expected)("says of %s with %s what is tested", (record, resolution, ...cells) => {
    const rows = shown.filter((row) => row[0] === record && row[1] === resolution);
    expect(rows).toEqual([[record, resolution, ...cells]]);
  });

  it("says nothing else", () => {
    expect(shown).toHaveLength(expected.length);
  });

  it("tells of every state of a record, with every resolution", () => {
    const states: Record<RecordState | "absent", true> = {
      absent: true,
      executing: true,
      held: true,
      released: true,
      completed: true,
      expired: true,
    };
    const rows = [...heldPayments, ...heldElsewhere, ...notHeld];
    for (const state of Object.keys(states)) {
      const told = rows.filter(({ record }) => record.split(/[ ,]/)[0] === state);
      const records = new Set(told.map(({ record }) => record));
      expect(records.size).toBeGreaterThan(0);
      for (const record of records) {
        const told = rows.filter((row) => row.record === record);
        const resolved = told.map(({ resolution }) => resolution);
        expect(resolved).toEqual(state === "held" ? resolutions : ["any"]);
      }
    }
  });

  it("is where the other pages send their readers", () => {
    for (const page of ["docs/operations.md", "docs/architecture.md", "README.md"]) {
      expect(read(page)).toMatch(/\]\((docs\/)?resolutions\.md(#[a-z-]+)?\)/);
    }
  });
});
