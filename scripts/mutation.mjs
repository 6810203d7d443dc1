// npm run mutation -- FILES...: changes the last commit's code in small ways, one at a time, and says
// which changes no test without servers notices. By hand: it takes about a second for each. Stryker is
// installed beside a clone, so that nobody else downloads it.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mustRunIn, projectPath } from "./lib/run.mjs";

const STRYKER = ["@stryker-mutator/core@9.6.1", "@stryker-mutator/vitest-runner@9.6.1"];

/** What decides whether a call executes, and who is told what. */
const DEFAULT_FILES = [
  "src/idempotency/execution/{executor,claiming,running,settling,attempt,ownership,retrying}.ts",
  "src/stores/redis/{quorum,lock-request,batched-locks,redlock-locks,executing-locks,replies}.ts",
];

/** Those that are not judged by how long they take. */
const VITEST_CONFIG = `import { defineConfig } from "vitest/config";
export default defineConfig({
  resolve: { tsconfigPaths: true },
  test: {
    include: ["test/fast/{idempotency,payments,stores}/**/*.test.ts"],
    exclude: ["**/*-limits.test.ts"],
    maxWorkers: 1,
  },
});
`;

const [, , ...files] = process.argv;
const folder = mkdtempSync(join(tmpdir(), "payonce-mutation-"));
process.on("exit", () => rmSync(folder, { recursive: true }));

mustRunIn(folder, "git", "clone", "--quiet", projectPath(), ".");
mustRunIn(folder, "npm", "ci", "--no-audit", "--no-fund");
mustRunIn(folder, "npm", "install", "--no-save", "--no-audit", "--no-fund", ...STRYKER);
writeFileSync(join(folder, "stryker.vitest.config.ts"), VITEST_CONFIG);
writeFileSync(
  join(folder, "stryker.config.json"),
  JSON.stringify({
    testRunner: "vitest",
    plugins: ["@stryker-mutator/vitest-runner"],
    vitest: { configFile: "stryker.vitest.config.ts", related: false },
    mutate: files.length === 0 ? DEFAULT_FILES : files,
    coverageAnalysis: "perTest",
    ignoreStatic: true,
    concurrency: 2,
    timeoutMS: 20_000,
    reporters: ["clear-text"],
    clearTextReporter: { allowColor: false, logTests: false, reportTests: false },
  }),
);
mustRunIn(folder, "npx", "stryker", "run");
