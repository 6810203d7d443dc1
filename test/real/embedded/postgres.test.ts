import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, statSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  isRunning,
  killAll,
  runService,
  spawnService,
  temporaryDataDir,
} from "../../support/service/run-embedded-service.js";
import { query, write, written } from "./notes.js";

describe("the embedded Postgres", () => {
  it("is durable, and closed to all but this machine and this password", async () => {
    const dataDir = await temporaryDataDir();
    const { urls } = await runService(dataDir, "postgres");
    const [url = ""] = urls;
    const settings = await query(url, "SELECT name, setting FROM pg_settings");
    const inForce = Object.fromEntries(settings.map(({ name, setting }) => [name, setting]));
    expect(inForce).toMatchObject({
      fsync: "on",
      full_page_writes: "on",
      synchronous_commit: "on",
      listen_addresses: "127.0.0.1",
      unix_socket_directories: "",
    });
    const passwordFile = join(dataDir, "postgres", "password");
    expect(statSync(passwordFile).mode & 0o777).toBe(0o600);
    const wrong = url.replace(await readFile(passwordFile, "utf8"), "wrong");
    await expect(query(wrong, "SELECT")).rejects.toThrow(/password authentication failed/);
  });

  it("stays until the service that was interrupted at its terminal has drained", async () => {
    const dataDir = await temporaryDataDir();
    const first = await runService(dataDir, "postgres");
    await write(first.urls, "before Ctrl-C");
    await first.interrupt();
    expect(first.output).toContain("drained");
    expect(first.pids.filter(isRunning)).toEqual([]);
    const next = await runService(dataDir, "postgres");
    expect(await written(next.urls)).toEqual(["before Ctrl-C"]);
    expect(next.output.join("\n")).not.toMatch(/left over|recovery in progress/);
  });

  it("keeps what was written when only the service is killed", async () => {
    const dataDir = await temporaryDataDir();
    const first = await runService(dataDir, "postgres");
    await write(first.urls, "before kill -9");
    await first.kill();
    expect(first.pids.filter(isRunning)).toEqual(first.pids);
    const next = await runService(dataDir, "postgres");
    expect(await written(next.urls)).toEqual(["before kill -9"]);
    expect(first.pids.filter(isRunning)).toEqual([]);
  });

  it("keeps what was written when Postgres and all its processes are killed too", async () => {
    const dataDir = await temporaryDataDir();
    const first = await runService(dataDir, "postgres");
    await write(first.urls, "before kill -9 of all");
    const children = first.pids.flatMap(childrenOf);
    expect(children.length).toBeGreaterThan(2);
    await first.kill();
    await killAll([...first.pids, ...children]);
    expect(existsSync(pidFile(dataDir))).toBe(true);
    const next = await runService(dataDir, "postgres");
    expect(await written(next.urls)).toEqual(["before kill -9 of all"]);
  });

  it("starts although another process has the pid that it had", async () => {
    const dataDir = await temporaryDataDir();
    const first = await runService(dataDir, "postgres");
    const pidFileText = await readFile(pidFile(dataDir), "utf8");
    await first.interrupt();
    // As the same user, or Postgres itself would see that the process is not its own.
    const { uid, gid } = statSync(join(dataDir, "postgres", "data"));
    const other = spawn("sleep", ["60"], { uid, gid });
    onTestFinished(() => void other.kill());
    await once(other, "spawn");
    await writeFile(pidFile(dataDir), pidFileText.replace(/^\d+/, String(other.pid)));
    const next = await runService(dataDir, "postgres");
    expect(await query(next.urls[0] ?? "", "SELECT 1 AS one")).toEqual([{ one: 1 }]);
    expect(isRunning(other.pid ?? 0)).toBe(true);
  });

  it("starts after a first start that was killed half-way", async () => {
    const dataDir = await temporaryDataDir();
    const { child } = await spawnService(dataDir, "postgres");
    const folder = join(dataDir, "postgres");
    const isMakingFiles = () =>
      existsSync(folder) && readdirSync(folder).some((name) => name.startsWith("unfinished-"));
    while (!isMakingFiles()) {
      await sleep(5);
    }
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(existsSync(join(folder, "data"))).toBe(false);
    const next = await runService(dataDir, "postgres");
    await write(next.urls, "works");
    expect(await written(next.urls)).toEqual(["works"]);
  });

  it("is refused to a second service with the same DATA_DIR", async () => {
    const dataDir = await temporaryDataDir();
    const first = await runService(dataDir, "postgres");
    const second = runService(dataDir, "postgres");
    await expect(second).rejects.toThrow(
      new RegExp(
        `DATA_DIR: ${dataDir}/postgres is in use by the running process ${first.process.pid}`,
      ),
    );
    await write(first.urls, "still mine");
    expect(await written(first.urls)).toEqual(["still mine"]);
  });

  it("goes to one of two services that start at the same time", async () => {
    const dataDir = await temporaryDataDir();
    const both = [runService(dataDir, "postgres"), runService(dataDir, "postgres")];
    const results = await Promise.allSettled(both);
    expect(results.map((result) => result.status).sort()).toEqual(["fulfilled", "rejected"]);
  });
});

function pidFile(dataDir: string): string {
  return join(dataDir, "postgres", "data", "postmaster.pid");
}

function childrenOf(pid: number): number[] {
  return execFileSync("ps", ["-o", "pid=", "--ppid", String(pid)], { encoding: "utf8" })
    .split("\n")
    .map(Number)
    .filter((child) => child > 0);
}
