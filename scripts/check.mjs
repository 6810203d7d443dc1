// npm run check: everything that can be said about the code without running it.
// --summary FILE also writes { "passed": number, "failed": number } there.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ensureDependencies } from "./lib/prepare.mjs";
import { buildImage, IMAGE } from "./lib/proto.mjs";
import { projectPath } from "./lib/run.mjs";

const { values: flags } = parseArgs({ options: { summary: { type: "string" } } });

/** Each check returns what is wrong, or nothing. */
const checks = {
  types: () => problemOf("tsc", "--noEmit"),
  "style (biome)": () => problemOf("biome", "check"),
  "unused files, exports and dependencies (knip)": () => problemOf("knip", "--no-progress"),
  "protos (buf lint)": () => problemOf("buf", "lint"),
  "proto compatibility (buf breaking)": checkCompatibility,
  "proto image is up to date": checkImage,
  "generated code is up to date": checkGeneratedCode,
  "the packages as they are published (publint, are the types wrong)": checkPackages,
};

/** Where generated code is kept, and how buf is told to make it. */
const generatedFolders = [
  ["src/gen", []],
  ["clients/typescript/src/gen", ["--template", "clients/typescript/buf.gen.yaml"]],
  ...["examples/orders", "examples/bookings", "test/fixtures", "test/fixtures/echo"].map(
    (folder) => [
      `${folder}/gen`,
      ["--config", `${folder}/buf.yaml`, "--template", `${folder}/buf.gen.yaml`],
    ],
  ),
];

ensureDependencies();
const temporary = mkdtempSync(join(tmpdir(), "payonce-check-"));
process.on("exit", () => rmSync(temporary, { recursive: true }));

const problems = Object.entries(checks).filter(([name, check]) => {
  const start = performance.now();
  const problem = check();
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${problem === undefined ? "ok    " : "FAILED"} ${name} (${seconds} s)`);
  if (problem !== undefined) {
    console.log(problem);
  }
  return problem !== undefined;
});

const failed = problems.length;
const passed = Object.keys(checks).length - failed;
if (flags.summary !== undefined) {
  writeFileSync(flags.summary, JSON.stringify({ passed, failed }));
}
process.exitCode = failed === 0 ? 0 : 1;

function checkCompatibility() {
  const against = join(temporary, "baseline.binpb");
  writeFileSync(against, committedImage() ?? readFileSync(IMAGE));
  return problemOf("buf", "breaking", "proto", "--against", against);
}

/** The image of main, or of the commit before where this is main; nothing when it has none yet. */
function committedImage() {
  const commitOf = (name) => {
    const { status, stdout } = execute("git", "rev-parse", "--quiet", "--verify", name);
    return status === 0 ? stdout.toString().trim() : undefined;
  };
  const head = commitOf("HEAD");
  const commits = ["origin/main", "main", "HEAD^"].map(commitOf);
  const commit = commits.find((name) => name !== undefined && name !== head) ?? head;
  const shown = execute("git", "show", `${commit}:proto/image.binpb`);
  return shown.status === 0 ? shown.stdout : undefined;
}

function checkImage() {
  const built = join(temporary, "image.binpb");
  const problem = problemOf(...buildImage(built));
  if (problem !== undefined) {
    return problem;
  }
  if (readFileSync(built).equals(readFileSync(IMAGE))) {
    return undefined;
  }
  return "The protos have changed: run npm run proto:image";
}

function checkGeneratedCode() {
  for (const [folder, config] of generatedFolders) {
    const problem =
      problemOf("buf", "generate", "--output", temporary, ...config) ??
      problemOf(
        "git",
        "diff",
        "--no-index",
        "--stat",
        "--exit-code",
        folder,
        join(temporary, folder),
      );
    if (problem !== undefined) {
      return problem;
    }
  }
  return undefined;
}

function checkPackages() {
  const packed = execute("node", "scripts/pack.mjs", temporary);
  if (packed.status !== 0) {
    return packed.stderr.toString();
  }
  for (const tarball of packed.stdout.toString().trim().split("\n")) {
    const problem =
      problemOf("publint", "run", tarball, "--strict") ??
      problemOf("attw", tarball, "--profile", "esm-only", "--no-emoji");
    if (problem !== undefined) {
      return problem;
    }
  }
  return undefined;
}

function problemOf(command, ...args) {
  const { status, stdout, stderr, error } = execute(command, ...args);
  return status === 0 ? undefined : `${error?.message ?? ""}${stdout ?? ""}${stderr ?? ""}`;
}

function execute(command, ...args) {
  return spawnSync(command, args, { cwd: projectPath(), maxBuffer: 64 * 1024 * 1024 });
}
