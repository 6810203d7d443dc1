import { posix } from "node:path";
import ts from "typescript";

/** What the files of each folder of `src` may import of ours, besides their own folder: folders, or files. */
const ALLOWED: ReadonlyMap<string, readonly string[]> = new Map([
  ["gen", []],
  ["runtime", []],
  ["idempotency", ["gen"]],
  ["stores", ["gen", "idempotency", "runtime"]],
  ["grpc", ["gen", "idempotency", "runtime"]],
  ["connect", ["gen", "idempotency", "runtime"]],
  ["payments", ["gen", "idempotency", "runtime", "grpc/client.ts"]],
  // A development server itself, which may run alone: it keeps its folder as the others do.
  [
    "sandbox",
    [
      "gen",
      "idempotency",
      "runtime",
      "grpc/reflection/answer.ts", // free of any transport
      "dev-servers/directory-lock.ts",
      "dev-servers/make-directory.ts",
    ],
  ],
  // For those who write adapters: they run it, and nothing here does.
  ["testing", ["idempotency", "payments"]],
  ["dev-servers", ["runtime", "sandbox", "server/config/address.ts", "server/error-prefix.ts"]],
  // Judges the others by what they have written.
  [
    "audit",
    [
      ...["gen", "idempotency", "grpc", "payments", "sandbox"],
      ...["stores/postgres/records.ts", "stores/postgres/sequences.ts"],
    ],
  ],
]);

/** `server` composes all the others; the entry points and the console stand on top of it. */
const UNBOUND = ["server", "console", "cli.ts", "client.ts", "index.ts"];

/** The package of callers, and what of it is for the packages of this project alone. */
const CLIENT = "@payonce/client";
const SHARED_WITH_CLIENTS = `${CLIENT}/internal`;

/** Start development servers, and load them only then: a service with servers of its operator's needs none. */
const STARTERS: readonly string[] = ["server/commands/sandbox.ts", "server/dependencies.ts"];

const READER_OF_THE_ENVIRONMENT = "server/config.ts";

/** What is wrong with one file, in sentences. The path is relative to `src`, with slashes. */
export function violations(path: string, text: string): string[] {
  const folder = topOf(path);
  const allowed = ALLOWED.get(folder);
  if (allowed === undefined && !UNBOUND.includes(folder)) {
    return [`${path}: ${folder} has no rule`];
  }

  const wrongImports = importedPaths(path, text).filter((imported) => {
    const target = topOf(imported);
    if (target === "cli.ts" || (target === "testing" && folder !== target)) {
      return true;
    }
    if (target === "dev-servers" && allowed === undefined) {
      return !STARTERS.includes(path);
    }
    if (allowed === undefined || target === folder) {
      return false;
    }
    return !allowed.includes(target) && !allowed.includes(imported);
  });
  const found = wrongImports.map((imported) => `${path} imports ${imported}`);
  if (STARTERS.includes(path) && /\bfrom "[^"]*dev-servers\//.test(text)) {
    found.push(`${path} loads dev-servers before it starts one`);
  }
  if (path !== "client.ts" && importedNames(text).some((name) => isOfClient(name))) {
    found.push(`${path} imports more of ${CLIENT} than ${SHARED_WITH_CLIENTS}`);
  }
  if (path !== READER_OF_THE_ENVIRONMENT && /\bprocess\.env\b/.test(text)) {
    found.push(`${path} reads process.env`);
  }
  return found;
}

/** What is wrong with one file of the client: it imports only what its own folder has, and packages. */
export function clientViolations(path: string, text: string): string[] {
  return importedPaths(path, text)
    .filter((imported) => imported.startsWith("../"))
    .map((imported) => `${path} imports ${imported}`);
}

/**
 * The packages that a file needs, it and all that it imports, for
 * types or at run time; sorted, with the modules of Node among them.
 */
export function packagesBehind(entry: string, read: (path: string) => string): string[] {
  const packages = new Set<string>();
  const files = new Set([entry]);
  for (const path of files) {
    const text = read(path);
    for (const name of importedNames(text).filter((name) => !name.startsWith("."))) {
      packages.add(name.split("/", name.startsWith("@") ? 2 : 1).join("/"));
    }
    for (const imported of importedPaths(path, text)) {
      files.add(imported); // the loop comes to it as well
    }
  }
  return [...packages].sort();
}

function importedPaths(path: string, text: string): string[] {
  return importedNames(text)
    .filter((name) => name.startsWith("."))
    .map((name) => posix.join(posix.dirname(path), name).replace(/\.js$/, ".ts"));
}

function importedNames(text: string): string[] {
  return ts.preProcessFile(text).importedFiles.map(({ fileName }) => fileName);
}

function isOfClient(name: string): boolean {
  return `${name}/`.startsWith(`${CLIENT}/`) && name !== SHARED_WITH_CLIENTS;
}

function topOf(path: string): string {
  return path.split("/")[0] ?? path;
}
