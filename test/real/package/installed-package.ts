import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const HERE = fileURLToPath(new URL("../../..", import.meta.url));
const TSC = join(HERE, "node_modules/.bin/tsc");

/** A project of its own, outside the repository, that has a packed package of this one installed. */
export interface ConsumerProject {
  /** Where the package is installed. */
  readonly packageFolder: string;
  /** The names of all packages that are installed. */
  installed(): Promise<readonly string[]>;
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

/** The packages as `npm publish` would send them, built from these sources. Paths of the tarballs. */
interface Packed {
  readonly service: string;
  readonly client: string;
}

const SERVICE = "payonce";
export const CLIENT = "@payonce/client";

/** No word but what goes wrong. */
const QUIET = ["--no-audit", "--no-fund", "--no-update-notifier"];

/**
 * A project that has the packages of this one, and what they depend on as it is installed here.
 * @param alsoInstalled what the project depends on itself
 */
export async function createConsumerProject(
  alsoInstalled: readonly string[],
): Promise<ConsumerProject> {
  const project = await makeFolder();
  const packages = join(project, "node_modules");
  const { service, client } = await pack(project);
  await unpack(service, join(packages, SERVICE));
  await unpack(client, join(packages, CLIENT));
  const { dependencies } = await manifestIn(join(packages, SERVICE));
  const others = Object.keys(dependencies).filter((name) => name !== CLIENT);
  for (const name of [...others, ...alsoInstalled]) {
    await mkdir(dirname(join(packages, name)), { recursive: true });
    await symlink(join(HERE, "node_modules", name), join(packages, name));
  }
  return consumerProject(project, SERVICE);
}

/**
 * A project into which npm installs the packages beside the oldest or the newest
 * version that each of their ranges takes: those of the project itself.
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
  const { service, client } = await pack(project);
  await run("npm", ["install", ...QUIET, service, client], { cwd: project });
  return consumerProject(project, SERVICE);
}

/**
 * A project into which npm installs the client alone.
 * @param alsoInstalled more that the project depends on, at the versions given here
 */
export async function installClientProject(
  alsoInstalled: readonly string[],
): Promise<ConsumerProject> {
  const project = await makeFolder();
  const { devDependencies } = await manifestIn(HERE);
  const more = alsoInstalled.map((name) => `${name}@${devDependencies[name]}`);
  const { client } = await pack(project);
  await run("npm", ["install", ...QUIET, client, ...more], { cwd: project });
  return consumerProject(project, CLIENT);
}

/** The names of the packages that one of this project depends on. */
export async function dependenciesOf(folder: string): Promise<readonly string[]> {
  return Object.keys((await manifestIn(join(HERE, folder))).dependencies);
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

async function consumerProject(project: string, name: string): Promise<ConsumerProject> {
  const packageFolder = join(project, "node_modules", name);
  const { exports } = await manifestIn(packageFolder);
  const inProject = { cwd: project };

  return {
    packageFolder,
    async installed() {
      const { stdout } = await run("npm", ["query", "*"], inProject);
      const found: readonly { readonly name: string }[] = JSON.parse(stdout);
      return found.map(({ name }) => name);
    },
    entries: Object.keys(exports)
      .filter((path) => !/[*]|[.]json$/.test(path))
      .map((path) => `${name}${path.slice(1)}`),
    write: (file, text) => writeFile(join(project, file), text),
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

async function pack(folder: string): Promise<Packed> {
  const { stdout } = await run(process.execPath, [join(HERE, "scripts/pack.mjs"), folder]);
  const [service = "", client = ""] = stdout.trim().split("\n");
  return { service, client };
}

async function unpack(tarball: string, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await run("tar", ["-xzf", tarball, "-C", folder, "--strip-components=1"]);
}
