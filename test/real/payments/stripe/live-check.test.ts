import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { compiledEntry } from "../../../support/service/compile.js";
import { runFace, SECRET } from "./support.js";

/** The program that scripts/stripe-live-check.mjs runs once all is installed. */
const PROGRAM = fileURLToPath(new URL("../../../stripe-live-check/main.ts", import.meta.url));

interface Run {
  readonly code: number;
  readonly output: string;
}

async function run(env: Record<string, string>): Promise<Run> {
  const program = await compiledEntry(PROGRAM);
  return new Promise((resolve) => {
    execFile(process.execPath, [program], { env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), output: stdout + stderr });
    });
  });
}

it("asks for all that the adapter takes for granted, and finds it as expected", async () => {
  const { apiBase } = await runFace();
  const { code, output } = await run({
    STRIPE_SECRET_KEY: SECRET,
    STRIPE_API_BASE: apiBase.origin,
  });
  expect(output.split("\n").filter((line) => line.startsWith("WRONG"))).toEqual([]);
  expect(output.split("\n").filter((line) => line.startsWith("ok "))).toHaveLength(16);
  expect(code).toBe(0);
  expect(output).not.toContain("MARKED");
});

it("says so where Stripe does not answer", async () => {
  const away = await run({ STRIPE_SECRET_KEY: SECRET, STRIPE_API_BASE: "http://127.0.0.1:1" });
  expect(away).toEqual({
    code: 1,
    output: expect.stringContaining("Stripe at http://127.0.0.1:1 does not answer"),
  });
});

it.each([
  ["sk_live_MARKED", "STRIPE_SECRET_KEY is a live key: this check charges cards"],
  ["rk_live_MARKED", "STRIPE_SECRET_KEY is a live key"],
  ["pk_test_MARKED", "STRIPE_SECRET_KEY accepts a key of Stripe's for tests"],
  ["", "STRIPE_SECRET_KEY accepts a key of Stripe's for tests"],
])("refuses %j before anything is sent, and says why", async (key, reason) => {
  const { apiBase, journal } = await runFace();
  const { code, output } = await run({ STRIPE_SECRET_KEY: key, STRIPE_API_BASE: apiBase.origin });
  expect(code).toBe(1);
  expect(output).toContain(reason);
  expect(output).not.toContain("MARKED");
  expect(await journal.countCalls()).toBe(0n);
});
