import { defineConfig } from "vitest/config";

/** Real servers share the machine with the tests: more files at once only wait for each other. */
const FILES_AT_ONCE = 2;

/** Processes that are killed and started again, waits for a lease: slow on a busy machine, not stuck. */
const REAL_TEST_LIMIT_MS = 60_000;

/** `@payonce/client` is read from its sources, where tsconfig.json says: no test needs a build. */
const resolve = { tsconfigPaths: true };

export default defineConfig({
  test: {
    maxWorkers: FILES_AT_ONCE,
    projects: [
      // Seconds: no server, no process of its own.
      withoutServers("fast"),
      // Minutes of virtual time: a cluster and its faults, from seeds.
      withoutServers("simulation"),
      // Real Postgres, Redis nodes and processes.
      withServers("real", 1),
      // The same checks under a build or a switch that must make them fail.
      withServers("negative", 2),
      // Faults on real processes: stops, kills, partitions. Run by .ci/run.
      withServers("slow", 3),
    ],
  },
});

function withoutServers(name: string) {
  return {
    resolve,
    test: { name, include: [`test/${name}/**/*.test.ts`], sequence: { groupOrder: 0 } },
  };
}

function withServers(name: string, groupOrder: number) {
  return {
    resolve,
    test: {
      name,
      include: [`test/${name}/**/*.test.ts`],
      globalSetup: ["test/support/global-setup.ts"],
      testTimeout: REAL_TEST_LIMIT_MS,
      hookTimeout: REAL_TEST_LIMIT_MS,
      maxWorkers: FILES_AT_ONCE,
      sequence: { groupOrder },
    },
  };
}
