import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const HERE = fileURLToPath(new URL("../../..", import.meta.url));
const TSC = join(HERE, "node_modules/.bin/tsc");

/** A project of its own, outside the repository, that has the packed package installed. */
export interface ConsumerProject {
  /** Where the package is installed. */
  readonly payonce: string;
  /** The entry points of the package, such as `payonce/client`; not those with a pattern. */
  readonly entries: readonly string[];
  write(name: string, text: string): Promise<void>;
  /** Runs the compiler. @throws with all that it says */
  compile(files: readonly string[], options: CompilerOptions): Promise<void>;
  /** Runs a program of the project, and resolves with what it prints. */
  node(...args: readonly string[]): Promise<string>;
  remove(): Promise<void>;
}

export interface CompilerOptions {
  readonly types: readonly string[];
  readonly customConditions?: readonly string[];
}

interface Manifest {
  readonly exports: Readonly<Record<string, unknown>>;
  readonly dependencies: Readonly<Record<string, string>>;
}

/** @param alsoInstalled what the project depends on itself; the package's dependencies come with it */
export async function createConsumerProject(
  alsoInstalled: readonly string[],
): Promise<ConsumerProject> {
  const project = await mkdtemp(join(tmpdir(), "payonce-test-package-"));
  const packages = join(project, "node_modules");
  const payonce = join(packages, "payonce");
  await mkdir(payonce, { recursive: true });
  await writeFile(join(project, "package.json"), JSON.stringify({ type: "module" }));
  await run("tar", ["-xzf", await pack(project), "-C", payonce, "--strip-components=1"]);
  const manifest: Manifest = JSON.parse(await readFile(join(payonce, "package.json"), "utf8"));
  for (const name of [...Object.keys(manifest.dependencies), ...alsoInstalled]) {
    await mkdir(dirname(join(packages, name)), { recursive: true });
    await symlink(join(HERE, "node_modules", name), join(packages, name));
  }
  const inProject = { cwd: project };

  return {
    payonce,
    entries: Object.keys(manifest.exports)
      .filter((path) => !path.includes("*"))
      .map((path) => `payonce${path.slice(1)}`),
    write: (name, text) => writeFile(join(project, name), text),
    async compile(files, options) {
      const compilerOptions = {
        module: "NodeNext",
        target: "ES2023",
        strict: true,
        exactOptionalPropertyTypes: true,
        verbatimModuleSyntax: true,
        skipLibCheck: false,
        ...options,
      };
      const config = join(project, "tsconfig.json");
      await writeFile(config, JSON.stringify({ compilerOptions, files }));
      await run(TSC, ["-p", config], inProject).catch(({ stdout }) => {
        throw new Error(stdout);
      });
    },
    node: async (...args) => (await run(process.execPath, [...args], inProject)).stdout,
    remove: () => rm(project, { recursive: true, force: true }),
  };
}

/** The package as `npm publish` would send it, built from these sources. Resolves with its path. */
async function pack(folder: string): Promise<string> {
  const staging = join(folder, "staging");
  await mkdir(staging);
  for (const name of ["package.json", "README.md", "LICENSE", "proto"]) {
    await cp(join(HERE, name), join(staging, name), { recursive: true });
  }
  const outDir = join(staging, "dist");
  await run("node", ["scripts/build.mjs", "--outDir", outDir], { cwd: HERE });
  const { stdout } = await run("npm", ["pack", "--json", "--pack-destination", folder], {
    cwd: staging,
  });
  const [packed]: readonly { readonly filename: string }[] = JSON.parse(stdout);
  if (packed === undefined) {
    throw new Error("npm pack made no package");
  }
  return join(folder, packed.filename);
}
