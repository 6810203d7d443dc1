import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  GRPCURL_BUILD_LIMIT_MS,
  GRPCURL_FOLDER,
  grpcurl,
  grpcurlAvailable,
} from "../../support/grpcurl.js";
import { type Cluster, startCluster } from "../../support/service/cluster.js";
import { compiledEntry } from "../../support/service/compile.js";
import { withoutWhatVaries } from "./normalise.js";
import { type Example, examplesOf, parsePage, renderPage, type Section } from "./page.js";
import { runInShell } from "./shell.js";

// The outputs in docs/by-hand.md are written by this test: with UPDATE=1 it puts
// what the commands print now in their place, if more than times has changed.
const UPDATE = process.env.UPDATE === "1";

const PAGE = fileURLToPath(new URL("../../../docs/by-hand.md", import.meta.url));
const CLI = fileURLToPath(new URL("../../../src/cli.ts", import.meta.url));

/** More than the shell's own limit, so that this one never hides what the shell says. */
const SECTION_LIMIT_MS = 4 * 60_000;

const sections = parsePage(await readFile(PAGE, "utf8"));
const withCommands = sections.filter((section) => examplesOf(section).length > 0);
/** What each example prints now, and whether that is news. */
const current = new Map<Example, Example>();
let changed = false;

let cluster: Cluster;
/** What the page says, and what stands in its place here. */
let places: readonly (readonly [onPage: string, here: string])[];

beforeAll(async () => {
  if (grpcurlAvailable) {
    await grpcurl(["-version"]); // builds it
  }
  cluster = await startCluster({ services: 1 });
  const [service] = cluster.services;
  places = [
    ["127.0.0.1:50051", service?.grpcAddress ?? ""],
    ["127.0.0.1:8080", service?.httpAddress ?? ""],
    ["npm run --silent payonce --", `node ${await compiledEntry(CLI)}`],
  ];
}, GRPCURL_BUILD_LIMIT_MS);

afterAll(async () => {
  await cluster?.stop();
  if (UPDATE && changed) {
    await writeFile(
      PAGE,
      renderPage(sections, (example) => current.get(example) ?? example),
    );
  }
});

function canRun(section: Section): boolean {
  return grpcurlAvailable || !examplesOf(section).some(({ command }) => /grpcurl/.test(command));
}

async function run(examples: readonly Example[]): Promise<readonly Example[]> {
  const outputs = await runInShell({
    commands: examples.map(({ command }) =>
      places.reduce((text, [onPage, here]) => text.replaceAll(onPage, here), command),
    ),
    programs: GRPCURL_FOLDER,
  });
  return examples.map(({ command }, index) => ({
    command,
    output: places.reduce(
      (text, [onPage, here]) => text.replaceAll(here, onPage),
      outputs[index] ?? "",
    ),
  }));
}

const compared = ({ command, output }: Example) => ({ command, output: withoutWhatVaries(output) });

describe("docs/by-hand.md, against a fresh service", () => {
  it("has commands", () => {
    expect(withCommands.map(({ title }) => title)).toEqual(["grpcurl", "buf curl", "curl"]);
  });

  it.each(withCommands.filter(canRun).map((section) => [section.title, section] as const))(
    "shows under %s what its commands print",
    async (_title, section) => {
      const onPage = examplesOf(section);
      const printed = await run(onPage);
      for (const [index, example] of onPage.entries()) {
        current.set(example, printed[index] ?? example);
      }
      if (UPDATE) {
        changed ||= !isDeepStrictEqual(printed.map(compared), onPage.map(compared));
      } else {
        expect(printed.map(compared)).toEqual(onPage.map(compared));
      }
    },
    SECTION_LIMIT_MS,
  );
});
