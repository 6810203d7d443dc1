import { access, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type Cluster, startCluster } from "../../support/service/cluster.js";
import {
  openProcessor,
  type Processor,
  processorKeyOfCall,
} from "../../support/service/processor.js";
import { type ConsumerProject, createConsumerProject } from "./installed-package.js";
import { IMPORTS, PAYS, paysInAPage, usesTypesOf } from "./programs.js";

/** The compiler runs, beside other work. */
const BUILD_LIMIT_MS = 3 * 60_000;
vi.setConfig({ testTimeout: BUILD_LIMIT_MS, hookTimeout: BUILD_LIMIT_MS });

/** What those who use its types install. */
const TYPES = ["@types/node"];

let project: ConsumerProject;
let cluster: Cluster;
let processor: Processor;
let compiling: Promise<void> | undefined;

beforeAll(async () => {
  project = await createConsumerProject(TYPES);
  cluster = await startCluster({ services: 1 });
  processor = openProcessor(cluster.sandbox.address);
});

afterAll(async () => {
  processor?.close();
  await cluster?.stop();
  await project?.remove();
});

describe("the package, installed in a project of its own", () => {
  it("has every entry that it names, with nothing but its own dependencies", async () => {
    expect(project.entries).toEqual([
      "payonce",
      "payonce/grpc",
      "payonce/connect",
      "payonce/client",
      "payonce/processors",
      "payonce/testing",
      "payonce/stores/memory",
      "payonce/stores/postgres",
      "payonce/stores/redis",
    ]);
    const exported = await exportsOf();
    for (const entry of project.entries) {
      expect(exported[entry], entry).not.toEqual([]);
    }
    expect(exported["payonce/client"]).toContain("grpcInterceptor");
  });

  it("gives a bundler for browsers the client without Node's parts", async () => {
    const exported = await exportsOf("--conditions=browser");
    expect(exported["payonce/client"]).toContain("connectInterceptor");
    expect(exported["payonce/client"]).not.toContain("grpcInterceptor");
  });

  it("has the protos, and the command line", async () => {
    const proto = "proto/payonce/payments/v1/payments.proto";
    await project.write("resolve.js", `console.log(import.meta.resolve("payonce/${proto}"));`);
    expect(await project.node("resolve.js")).toContain(join("payonce", proto));
    await access(join(project.packageFolder, proto));
    const help = await project.node(join(project.packageFolder, "dist/cli.js"), "help");
    expect(help).toContain("payonce <command>");
  });

  it("has the service config of the clients", async () => {
    const config = "payonce/clients/service-config.json";
    const text = `import config from "${config}" with { type: "json" };
console.log(config.methodConfig.length);`;
    await project.write("config.js", text);
    expect(Number(await project.node("config.js"))).toBeGreaterThan(0);
  });

  it("has the sources in its source maps", async () => {
    const map = await readFile(join(project.packageFolder, "dist/index.js.map"), "utf8");
    expect(JSON.parse(map).sourcesContent).toEqual([expect.stringContaining("export")]);
  });

  it("has types for every entry", async () => {
    await compiledForNode();
  });

  it("has types for pages, without Node's", async () => {
    await project.write("page.ts", paysInAPage("payonce/client"));
    await project.compile(["page.ts"], { types: [], customConditions: ["browser"] });
  });

  it("makes one payment, whichever entry and protocol the client takes", async () => {
    const key = "from-the-package";
    const service = cluster.services[0];
    await compiledForNode();
    const first = await project.node("pay.js", "gRPC", `http://${service?.grpcAddress}`, key);
    const second = await project.node(
      "--conditions=browser",
      "pay.js",
      "Connect",
      `http://${service?.httpAddress}`,
      key,
    );
    const [effect, ...others] = await processor.effectsUnder(
      processorKeyOfCall("CreatePayment", key),
    );
    expect(others).toEqual([]);
    const payment = { id: effect?.paymentId, isCaptured: true };
    expect(JSON.parse(first)).toEqual({ ...payment, replayed: false });
    expect(JSON.parse(second)).toEqual({ ...payment, replayed: true });
  });

  /** The compiler reads the declarations of all that the package depends on: once is enough. */
  function compiledForNode(): Promise<void> {
    compiling ??= compileForNode();
    return compiling;
  }

  async function compileForNode(): Promise<void> {
    await project.write("types.ts", usesTypesOf(project.entries));
    await project.write("pay.ts", PAYS);
    await project.compile(["types.ts", "pay.ts"], { types: ["node"] });
  }

  async function exportsOf(...flags: readonly string[]): Promise<Record<string, string[]>> {
    await project.write("imports.js", IMPORTS);
    return JSON.parse(await project.node(...flags, "imports.js", ...project.entries));
  }
});
