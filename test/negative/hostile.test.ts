import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { runCommand } from "../support/grpcurl.js";

/** Servers that start, and less than a thousand cases, on a busy machine. */
const LIMIT_MS = 120_000;

const project = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

it("attacks on a careless service are told to have succeeded", { timeout: LIMIT_MS }, async () => {
  const { code, stdout } = await runCommand({
    command: process.execPath,
    args: [
      project("scripts/hostile.mjs"),
      ...["--cases", "1000", "--seed", "4"],
      ...["--entry", project("test/support/entries/careless-service.ts")],
    ],
    limitMs: LIMIT_MS,
  });
  expect(code).toBe(1);
  expect(stdout).toMatch(/PROBLEM .* the event loop stood still for \d{4} ms/);
  expect(stdout).toMatch(/PROBLEM case \d+, .* and none were charged/);
  expect(stdout).toMatch(/PROBLEM the service has ended by itself/);
});
