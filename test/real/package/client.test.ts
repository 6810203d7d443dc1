import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import {
  CLIENT,
  type ConsumerProject,
  dependenciesOf,
  installClientProject,
} from "./installed-package.js";
import { IMPORTS, paysInAPage, usesTypesOf } from "./programs.js";

/** npm installs, and the compiler runs, beside other work. */
const BUILD_LIMIT_MS = 5 * 60_000;
vi.setConfig({ testTimeout: BUILD_LIMIT_MS, hookTimeout: BUILD_LIMIT_MS });

/** What those who use its types install. */
const TYPES = ["@types/node"];

// Asks the package registry: only where everything runs.
describe.runIf(process.env.CI === "true")("the client's package, alone in a project", () => {
  let project: ConsumerProject;

  beforeAll(async () => {
    project = await installClientProject(TYPES);
  });

  afterAll(() => project?.remove());

  it("installs protobuf, Connect and grpc-js, and nothing that only the service needs", async () => {
    const own = await dependenciesOf("clients/typescript");
    expect(own).toEqual(["@bufbuild/protobuf", "@connectrpc/connect", "@grpc/grpc-js"]);
    const installed = await project.installed();
    expect(installed).toEqual(expect.arrayContaining([CLIENT, ...own]));

    const ofTheService = await dependenciesOf(".");
    const onlyOfTheService = ofTheService.filter((name) => ![CLIENT, ...own].includes(name));
    expect(onlyOfTheService).toEqual(
      expect.arrayContaining(["ioredis", "pg", "pino", "prom-client"]),
    );
    expect(installed.filter((name) => onlyOfTheService.includes(name))).toEqual([]);
  });

  it("has every entry that it names, in Node and in browsers", async () => {
    expect(project.entries).toEqual([CLIENT, `${CLIENT}/internal`]);
    await project.write("imports.js", IMPORTS);
    const inNode = JSON.parse(await project.node("imports.js", ...project.entries));
    expect(inNode[CLIENT]).toEqual(
      expect.arrayContaining(["connectInterceptor", "grpcInterceptor", "postgresIntentStore"]),
    );
    const browser = "--conditions=browser";
    const inBrowsers = JSON.parse(await project.node(browser, "imports.js", ...project.entries));
    expect(inBrowsers[CLIENT]).toContain("connectInterceptor");
    expect(inBrowsers[CLIENT]).not.toContain("grpcInterceptor");
  });

  it("type-checks for Node, and for pages without Node's types", async () => {
    await project.write("types.ts", usesTypesOf(project.entries));
    await project.compile(["types.ts"], { types: ["node"] });
    await project.write("page.ts", paysInAPage(CLIENT));
    await project.compile(["page.ts"], { types: [], customConditions: ["browser"] });
  });
});
