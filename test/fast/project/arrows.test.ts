import { readdirSync, readFileSync } from "node:fs";
import { join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { clientViolations, packagesBehind, violations } from "./arrows.js";

const SOURCE = fileURLToPath(new URL("../../../src", import.meta.url));
const CLIENT = fileURLToPath(new URL("../../../clients/typescript/src", import.meta.url));

function filesOf(root: string): string[] {
  return readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => name.split(sep).join("/"));
}

describe("the folders of src", () => {
  it("import each other in the agreed directions only, and leave the environment to the configuration", () => {
    const files = filesOf(SOURCE);
    expect(files.length).toBeGreaterThan(0);
    const found = files.flatMap((path) =>
      violations(path, readFileSync(join(SOURCE, path), "utf8")),
    );
    expect(found).toEqual([]);
  });
});

describe("the client", () => {
  const read = (path: string) => readFileSync(join(CLIENT, path), "utf8");

  it("takes nothing from the service", () => {
    const files = filesOf(CLIENT);
    expect(files.length).toBeGreaterThan(0);
    expect(files.flatMap((path) => clientViolations(path, read(path)))).toEqual([]);
  });

  it("needs three packages, and in a browser nothing that a browser does not have", () => {
    expect(packagesBehind("browser.ts", read)).toEqual([
      "@bufbuild/protobuf",
      "@connectrpc/connect",
    ]);
    const packages = packagesBehind("index.ts", read);
    expect(packages.filter((name) => !name.startsWith("node:"))).toEqual([
      "@bufbuild/protobuf",
      "@connectrpc/connect",
      "@grpc/grpc-js",
    ]);
    expect(packages).toContain("node:fs");
  });

  it("shares with the service nothing that reads or writes files", () => {
    expect(packagesBehind("internal.ts", read)).toEqual(["@bufbuild/protobuf", "@grpc/grpc-js"]);
  });
});

describe("the check of the directions", () => {
  it.each([
    ["idempotency/a.ts", 'import type { X } from "../payments/x.js";', "imports payments/x.ts"],
    ["payments/postgres/a.ts", 'export * from "../../stores/x.js";', "imports stores/x.ts"],
    ["grpc/a.ts", 'const x = await import("../server/x.js");', "imports server/x.ts"],
    ["server/a.ts", 'import "../cli.js";', "imports cli.ts"],
    ["server/a.ts", 'import "../testing/index.js";', "imports testing/index.ts"],
    ["testing/a.ts", 'import "../sandbox/x.js";', "imports sandbox/x.ts"],
    ["server/a.ts", 'import("../dev-servers/redis.js");', "imports dev-servers/redis.ts"],
    ["grpc/a.ts", 'import "../dev-servers/redis.js";', "imports dev-servers/redis.ts"],
    [
      "server/dependencies.ts",
      'import { x } from "../dev-servers/redis.js";',
      "loads dev-servers before it starts one",
    ],
    ["grpc/a.ts", 'import "@payonce/client";', "imports more of @payonce/client"],
    ["server/a.ts", "const port = process.env.PORT;", "reads process.env"],
    ["unheard/a.ts", "", "unheard has no rule"],
  ])("finds what is wrong in %s: %s", (path, text, problem) => {
    expect(violations(path, text)).toEqual([expect.stringContaining(problem)]);
  });

  it("finds what the client takes from elsewhere", () => {
    const text = 'import "../../src/idempotency/executor.js";';
    expect(clientViolations("a.ts", text)).toHaveLength(1);
    expect(clientViolations("gen/a.ts", 'import "../names.js";')).toEqual([]);
  });

  it("lets pass what is agreed", () => {
    const text =
      'import { x } from "../../idempotency/x.js"; import "./y.js"; import pg from "pg";';
    expect(violations("payments/postgres/a.ts", text)).toEqual([]);
    expect(violations("grpc/a.ts", 'import "@payonce/client/internal";')).toEqual([]);
    expect(violations("server/config.ts", "process.env")).toEqual([]);
  });
});
