import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    projects: [
      // Seconds: no server, no process of its own.
      { test: { name: "fast", include: ["test/fast/**/*.test.ts"] } },
    ],
  },
});
