import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
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
  /** The entry points of the package, such as `payonce/client`; not those with a pattern, or of JSON. */
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
  readonly devDependencies: Readonly<Record<string, string>>;
}

/**
 * A project that has the package and its dependencies as they are installed here.
 * @param alsoInstalled what the project depends on itself
 */
export async function createConsumerProject(
  alsoInstalled: readonly string[],
): Promise<ConsumerProject> {
  const project = await makeFolder();
  const packages = join(project, "node_modules");
  const payonce = join(packages, "payonce");
  await mkdir(payonce, { recursive: true });
  await run("tar", ["-xzf", await pack(project), "-C", payonce, "--strip-components=1"]);
  const { dependencies } = await manifestIn(payonce);
  for (const name of [...Object.keys(dependencies), ...alsoInstalled]) {
    await mkdir(dirname(join(packages, name)), { recursive: true });
    await symlink(join(HERE, "node_modules", name), join(packages, name));
  }
  return consumerProject(project);
}

/**
 * A project into which npm installs the package beside the oldest or the newest
 * version that each of the package's ranges takes: those of the project itself.
 * The newest that this Node can run: npm chooses by what they ask for.
 * @param alsoInstalled more that the project depends on, at the versions given here
 */
export async function installConsumerProject(
  age: "oldest" | "newest",
  alsoInstalled: readonly string[],
): Promise<ConsumerProject> {
  const project = await makeFolder();
  const { dependencies, devDependencies } = await manifestIn(HERE);
  const own = Object.entries(dependencies)
    .filter(([, range]) => range.startsWith("^"))
    .map(([name, range]) => [name, age === "oldest" ? oldestOf(range) : range]);
  const more = alsoInstalled.map((name) => [name, devDependencies[name]]);
  await writeManifest(project, { dependencies: Object.fromEntries([...own, ...more]) });
  const quiet = ["--no-audit", "--no-fund", "--no-update-notifier"];
  await run("npm", ["install", ...quiet, await pack(project)], { cwd: project });
  return consumerProject(project);
}

/** A range names its oldest version first. */
function oldestOf(range: string): string {
  return /\d+\.\d+\.\d+/.exec(range)?.[0] ?? range;
}

async function makeFolder(): Promise<string> {
  const project = await mkdtemp(join(tmpdir(), "payonce-test-package-"));
  await writeManifest(project, {});
  return project;
}

function writeManifest(project: string, manifest: Partial<Manifest>): Promise<void> {
  return writeFile(
    join(project, "package.json"),
    JSON.stringify({ type: "module", private: true, ...manifest }),
  );
}

async function manifestIn(folder: string): Promise<Manifest> {
  return JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
}

async function consumerProject(project: string): Promise<ConsumerProject> {
  const payonce = join(project, "node_modules/payonce");
  const { exports } = await manifestIn(payonce);
  const inProject = { cwd: project };

  return {
    payonce,
    entries: Object.keys(exports)
      .filter((path) => !/[*]|[.]json$/.test(path))
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
  const { stdout } = await run(process.execPath, [join(HERE, "scripts/pack.mjs"), folder]);
  return stdout.trim();
}
