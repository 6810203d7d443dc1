import { posix } from "node:path";
import ts from "typescript";

/** What the files of each folder of `src` may import of ours, besides their own folder. */
const ALLOWED: ReadonlyMap<string, readonly string[]> = new Map([
  ["gen", []],
  ["runtime", []],
  ["idempotency", ["gen"]],
  ["stores", ["gen", "idempotency", "runtime"]],
  ["grpc", ["gen", "idempotency", "runtime"]],
  ["connect", ["gen", "idempotency", "runtime"]],
  ["client", ["gen", "idempotency", "runtime"]],
  ["payments", ["gen", "idempotency", "runtime"]],
  ["sandbox", ["gen", "idempotency", "runtime"]],
  // Judges the others by what they have written.
  ["audit", ["gen", "idempotency", "grpc", "payments", "sandbox"]],
]);

/** `server` composes all the others; the entry points and the console stand on top of it. */
const UNBOUND = ["server", "console", "cli.ts", "index.ts"];

const READER_OF_THE_ENVIRONMENT = "server/config.ts";

/** What is wrong with one file, in sentences. The path is relative to `src`, with slashes. */
export function violations(path: string, text: string): string[] {
  const folder = topOf(path);
  const allowed = ALLOWED.get(folder);
  if (allowed === undefined && !UNBOUND.includes(folder)) return [`${path}: ${folder} has no rule`];

  const wrongImports = importedPaths(path, text).filter((imported) => {
    const target = topOf(imported);
    if (target === "cli.ts") return true;
    return allowed !== undefined && target !== folder && !allowed.includes(target);
  });
  const found = wrongImports.map((imported) => `${path} imports ${imported}`);
  if (path !== READER_OF_THE_ENVIRONMENT && /\bprocess\.env\b/.test(text)) {
    found.push(`${path} reads process.env`);
  }
  return found;
}

function importedPaths(path: string, text: string): string[] {
  return ts
    .preProcessFile(text)
    .importedFiles.map(({ fileName }) => fileName)
    .filter((name) => name.startsWith("."))
    .map((name) => posix.join(posix.dirname(path), name).replace(/\.js$/, ".ts"));
}

function topOf(path: string): string {
  return path.split("/")[0] ?? path;
}
