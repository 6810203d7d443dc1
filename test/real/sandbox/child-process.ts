import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import ts from "typescript";
import { onTestFinished } from "vitest";
import { connect, type GrpcClient, temporaryDirectory } from "./support.js";

export interface SandboxProcess extends GrpcClient {
  readonly process: ChildProcess;
  readonly address: string;
  /** kill -9, and waits for the end. */
  kill(): Promise<void>;
}

const root = resolve(import.meta.dirname, "../../..");

const entry = `
import { startSandbox } from "./src/sandbox/server.js";
const listen = { host: "127.0.0.1", port: 0 };
const { address } = await startSandbox({ listen, dataDir: process.argv[2] });
process.send(address);
`;

/** The sandbox compiled into a directory of its own, ready to be started as a process. */
export async function buildSandbox(): Promise<string> {
  const outDir = await temporaryDirectory();
  await Promise.all(["src/sandbox", "src/gen"].map((folder) => transpileFolder(folder, outDir)));
  await symlink(join(root, "node_modules"), join(outDir, "node_modules"));
  await writeFile(join(outDir, "package.json"), '{ "type": "module" }');
  await writeFile(join(outDir, "main.js"), entry);
  return join(outDir, "main.js");
}

/** Starts a built sandbox. It ends with the test at the latest. */
export async function startProcess(main: string, dataDir: string): Promise<SandboxProcess> {
  const child = fork(main, [dataDir]);
  const exited = once(child, "exit");
  const kill = async () => {
    child.kill("SIGKILL");
    await exited;
  };
  onTestFinished(kill);
  const address = await Promise.race([
    once(child, "message").then(([message]) => String(message)),
    exited.then(() => {
      throw new Error("the sandbox did not start");
    }),
  ]);
  return { ...connect(address), process: child, address, kill };
}

async function transpileFolder(folder: string, outDir: string): Promise<void> {
  const names = await readdir(join(root, folder), { recursive: true });
  for (const name of names.filter((each) => each.endsWith(".ts"))) {
    const source = await readFile(join(root, folder, name), "utf8");
    const target = join(outDir, folder, name.replace(/\.ts$/, ".js"));
    await mkdir(dirname(target), { recursive: true });
    const { outputText } = ts.transpileModule(source, {
      compilerOptions: {
        target: ts.ScriptTarget.ES2023,
        module: ts.ModuleKind.ESNext,
        verbatimModuleSyntax: true,
      },
    });
    await writeFile(target, outputText);
  }
}
