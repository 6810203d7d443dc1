import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { OrderService } from "../../../examples/orders/gen/acme/orders/v1/orders_pb.js";
import { codeBlocksOf } from "../../support/documents/code-blocks.js";
import { type ExampleProcess, startProgram } from "./example-process.js";

const run = promisify(execFile);
const HERE = fileURLToPath(new URL("../../..", import.meta.url));
const BIN = join(HERE, "node_modules/.bin");

/** The compiler runs twice, beside other work. */
const BUILD_LIMIT_MS = 3 * 60_000;

let project: string;
let server: ExampleProcess;

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), "payonce-test-project-"));
  await installPackages();
  await writeProject();
  const env = { ...process.env, PATH: `${BIN}${delimiter}${process.env.PATH ?? ""}` };
  await run("buf", ["generate"], { cwd: project, env });
  await run("tsc", ["-p", "."], { cwd: project, env });
  server = await startProgram(join(project, "dist/server.js"), ["127.0.0.1:0"]);
}, BUILD_LIMIT_MS);

afterAll(async () => {
  await server?.kill();
  await rm(project, { recursive: true, force: true });
});

/** `payonce` as the package holds it, built from these sources, and the others as they are here. */
async function installPackages(): Promise<void> {
  const packages = join(project, "node_modules");
  const payonce = join(packages, "payonce");
  await mkdir(payonce, { recursive: true });
  for (const name of await readdir(join(HERE, "node_modules"))) {
    await symlink(join(HERE, "node_modules", name), join(packages, name));
  }
  await cp(join(HERE, "package.json"), join(payonce, "package.json"));
  await cp(join(HERE, "proto"), join(payonce, "proto"), { recursive: true });
  await run("node", ["scripts/build.mjs", "--outDir", join(payonce, "dist")], { cwd: HERE });
}

/** The orders example in a project of its own, with the two files that the page shows. */
async function writeProject(): Promise<void> {
  const example = join(HERE, "examples/orders");
  const page = await readFile(join(HERE, "docs/bring-your-own-service.md"), "utf8");
  const shown = codeBlocksOf(page).filter(({ language }) => language === "yaml");
  for (const { file = "", text } of shown) {
    await writeFile(join(project, file), text);
  }
  await cp(join(example, "proto"), join(project, "proto"), { recursive: true });
  for (const name of ["orders.ts", "server.ts"]) {
    await writeFile(join(project, name), asPackage(await readFile(join(example, name), "utf8")));
  }
  await writeFile(join(project, "package.json"), JSON.stringify({ type: "module" }));
  const compilerOptions = {
    module: "NodeNext",
    target: "ES2023",
    strict: true,
    skipLibCheck: true,
    types: ["node"],
    outDir: "dist",
  };
  await writeFile(
    join(project, "tsconfig.json"),
    JSON.stringify({ compilerOptions, files: ["server.ts"] }),
  );
}

/** Imports as they are written elsewhere: `../../src/grpc/index.js` is `payonce/grpc`. */
function asPackage(source: string): string {
  return source.replace(/"\.\.\/\.\.\/src\/(?:(.*)\/)?index\.js"/g, (_, entry?: string) =>
    JSON.stringify(["payonce", ...(entry === undefined ? [] : [entry])].join("/")),
  );
}

describe("docs/bring-your-own-service.md, followed in a project of its own", () => {
  it("makes a server that places one order for one key", async () => {
    const transport = createGrpcTransport({ baseUrl: `http://127.0.0.1:${server.port}` });
    const { placeOrder, listOrders } = createClient(OrderService, transport);
    for (const _attempt of ["first", "second"]) {
      await placeOrder(
        { article: "book", quantity: 2 },
        { headers: { "idempotency-key": "my-order" } },
      );
    }
    expect((await listOrders({})).orders).toHaveLength(1);
  });
});
