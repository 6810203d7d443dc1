import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { DirectoryInUseError, lockDirectory } from "../../../src/dev-servers/directory-lock.js";
import { processIdentity } from "../../../src/dev-servers/processes.js";

describe("a directory lock", () => {
  it("keeps others out until it is released", async () => {
    const directory = await temporaryDirectory();
    const lock = await lockDirectory(directory);
    await expect(lockDirectory(directory)).rejects.toThrow(DirectoryInUseError);
    await lock.release();
    const next = await lockDirectory(directory);
    await next.release();
    expect(await readdir(directory)).toEqual([]);
  });

  it("names the process that holds it", async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, `.lock-${processIdentity(process.ppid)}`), "");
    await expect(lockDirectory(directory)).rejects.toMatchObject({ holderPid: process.ppid });
  });

  it("of a dead process does not count, though another process has its pid now", async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, `.lock-${process.ppid}-earlier`), "");
    const lock = await lockDirectory(directory);
    expect(await readdir(directory)).toEqual([`.lock-${processIdentity(process.pid)}`]);
    await lock.release();
  });
});

async function temporaryDirectory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "payonce-test-lock-"));
  onTestFinished(() => rm(path, { recursive: true }));
  return path;
}
