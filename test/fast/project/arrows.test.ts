import { readdirSync, readFileSync } from "node:fs";
import { join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { packagesBehind, violations } from "./arrows.js";

const SOURCE = fileURLToPath(new URL("../../../src", import.meta.url));

describe("the folders of src", () => {
  it("import each other in the agreed directions only, and leave the environment to the configuration", () => {
    const files = readdirSync(SOURCE, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .map((name) => name.split(sep).join("/"));
    expect(files.length).toBeGreaterThan(0);
    const found = files.flatMap((path) =>
      violations(path, readFileSync(join(SOURCE, path), "utf8")),
    );
    expect(found).toEqual([]);
  });
});

describe("the client for browsers", () => {
  it("needs nothing that a browser does not have", () => {
    const read = (path: string) => readFileSync(join(SOURCE, path), "utf8");
    expect(packagesBehind("client/browser.ts", read)).toEqual([
      "@bufbuild/protobuf",
      "@connectrpc/connect",
    ]);
    expect(packagesBehind("client/index.ts", read)).toContain("node:fs");
  });
});

describe("the check of the directions", () => {
  it.each([
    ["idempotency/a.ts", 'import type { X } from "../payments/x.js";', "imports payments/x.ts"],
    ["payments/postgres/a.ts", 'export * from "../../stores/x.js";', "imports stores/x.ts"],
    ["grpc/a.ts", 'const x = await import("../server/x.js");', "imports server/x.ts"],
    ["server/a.ts", 'import "../cli.js";', "imports cli.ts"],
    ["server/a.ts", 'import("../dev-servers/redis.js");', "imports dev-servers/redis.ts"],
    ["grpc/a.ts", 'import "../dev-servers/redis.js";', "imports dev-servers/redis.ts"],
    [
      "server/dependencies.ts",
      'import { x } from "../dev-servers/redis.js";',
      "loads dev-servers before it starts one",
    ],
    ["client/a.ts", 'import "../idempotency/executor.js";', "imports idempotency/executor.ts"],
    ["server/a.ts", "const port = process.env.PORT;", "reads process.env"],
    ["unheard/a.ts", "", "unheard has no rule"],
  ])("finds what is wrong in %s: %s", (path, text, problem) => {
    expect(violations(path, text)).toEqual([expect.stringContaining(problem)]);
  });

  it("lets pass what is agreed", () => {
    const text =
      'import { x } from "../../idempotency/x.js"; import "./y.js"; import pg from "pg";';
    expect(violations("payments/postgres/a.ts", text)).toEqual([]);
    expect(violations("server/config.ts", "process.env")).toEqual([]);
  });
});
