import { expect, it } from "vitest";
import { auditJson, auditText } from "../../../src/server/commands/audit-text.js";

const violations = Array.from({ length: 25 }, (_, index) => ({
  subject: `payment ${index}`,
  problem: "is lost",
}));
const report = {
  results: [
    { id: "I1", title: "effects happen once", checked: 30, violations },
    { id: "I8", title: "replays are equal", violations: [] },
  ],
  parked: [{ subject: 'key "k" of acme', reason: "its owner is gone" }],
} as const;

it("people get a table, the parked keys, and as many violations as they can read", () => {
  const lines = auditText(report).split("\n");
  expect(lines.slice(0, 8)).toEqual([
    "      invariant              checked  violations",
    "I1    effects happen once         30          25",
    "I8    replays are equal            -           -",
    "-: only what clients saw decides it",
    "keys that wait for an operator: 1",
    '  key "k" of acme: its owner is gone',
    "I1 is violated",
    "  payment 0 is lost",
  ]);
  expect(lines.at(-1)).toBe("  ... and 5 more");
  expect(lines).toHaveLength(28);
});

it("programs get everything", () => {
  expect(JSON.parse(auditJson(report))).toEqual(report);
});
