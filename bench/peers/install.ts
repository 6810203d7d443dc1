import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Unavailable } from "../sides/side.js";

const WANTED = fileURLToPath(new URL("package.json", import.meta.url));
const CACHE = fileURLToPath(new URL("../.cache", import.meta.url));
const FOLDER = join(CACHE, "peers");

/** Ten times what it takes. A registry that cannot be reached is given up before. Milliseconds. */
const INSTALL_LIMIT_MS = 120_000;

const NPM_INSTALL = [
  ...["install", "--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock"],
  ...["--fetch-retries", "1", "--loglevel", "error"],
];

const run = promisify(execFile);

let installing: Promise<string> | undefined;

/**
 * The folder with the packages of `bench/peers/package.json`, away from the
 * project's own. They are installed where they are missing or others.
 * @throws Unavailable where npm cannot install them.
 */
export function installPeers(): Promise<string> {
  installing ??= install();
  return installing;
}

async function install(): Promise<string> {
  if ((await textOf(join(FOLDER, "package.json"))) === (await textOf(WANTED))) {
    return FOLDER;
  }
  console.log("Installing the peers with npm");
  await mkdir(CACHE, { recursive: true });
  const unfinished = await mkdtemp(join(CACHE, "unfinished-"));
  try {
    await cp(WANTED, join(unfinished, "package.json"));
    await run("npm", [...NPM_INSTALL, "--prefix", unfinished], { timeout: INSTALL_LIMIT_MS });
    await rm(FOLDER, { recursive: true, force: true });
    await rename(unfinished, FOLDER);
  } catch (cause) {
    await rm(unfinished, { recursive: true, force: true });
    throw new Unavailable(`npm could not install the peers: ${reasonOf(cause)}`);
  }
  return FOLDER;
}

async function textOf(file: string): Promise<string | undefined> {
  return readFile(file, "utf8").catch(() => undefined);
}

/** The first line that npm wrote to its error output, or whatever else there is to say. */
function reasonOf(cause: unknown): string {
  const { stderr } = Object(cause) as { readonly stderr?: unknown };
  const text = typeof stderr === "string" && stderr !== "" ? stderr : String(cause);
  return text.split("\n", 1).join("");
}
