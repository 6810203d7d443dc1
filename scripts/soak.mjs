// npm run soak -- --minutes N --seed S: real processes, mixed traffic and random faults, then
// what must hold after all of it. The same seed plans the same faults.
// --entry FILE runs another program as the services; --summary FILE also writes
// { "passed": number, "failed": number } there.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ensureDependencies } from "./lib/prepare.mjs";
import { ensureRedis } from "./lib/redis.mjs";
import { projectPath } from "./lib/run.mjs";

ensureDependencies();
ensureRedis();
// Not before it is there.
const { rolldown } = await import("rolldown");

// Beside the packages that it imports.
mkdirSync(projectPath(".cache"), { recursive: true });
const output = mkdtempSync(projectPath(".cache", "soak-"));
process.on("exit", () => rmSync(output, { recursive: true, force: true }));
const file = join(output, "main.js");

const bundle = await rolldown({
  input: projectPath("test", "soak", "main.ts"),
  external: /^[^./]/,
  platform: "node",
  plugins: [
    {
      name: "files find what lies beside their source",
      transform: (code, id) =>
        code.replaceAll("import.meta.url", JSON.stringify(pathToFileURL(id).href)),
    },
  ],
});
await bundle.write({ file, format: "esm", codeSplitting: false });
await bundle.close();
await import(pathToFileURL(file).href);
