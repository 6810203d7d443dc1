import { execFileSync } from "node:child_process";
import { statSync } from "node:fs";
import { chmod, mkdir } from "node:fs/promises";
import { userInfo } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { clusterIn, initialise } from "../../../src/dev-servers/postgres-cluster.js";
import { findPostgresPrograms } from "../../../src/dev-servers/postgres-package.js";
import { findPostgresUser } from "../../../src/dev-servers/postgres-user.js";
import { runService, temporaryDataDir } from "../../support/service/run-embedded-service.js";
import { write, written } from "./notes.js";

/** No account has it; Postgres asks for none but at the making of a cluster. */
const OTHER_UID = 54_321;

describe.runIf(userInfo().uid === 0)("the embedded Postgres, started by root", () => {
  it("runs as the user postgres or nobody, and says so", async () => {
    const dataDir = await openDataDir();
    const service = await runService(dataDir, "postgres");
    const [, name = ""] = /^runs as (postgres|nobody)$/m.exec(service.output.join("\n")) ?? [];
    expect(userOf(service.pids[0])).toBe(name);
    expect(nameOf(ownersIn(dataDir).data)).toBe(name);
    expect(ownersIn(dataDir).folder).toBe(0);
  });

  it("runs as nobody where a machine has no user postgres", async () => {
    const directory = await openDataDir();
    const programs = await findPostgresPrograms();
    const user = await findPostgresUser({
      program: programs.postgres,
      directory,
      accounts: ["no-such-user", "nobody"],
    });
    expect(user.name).toBe("nobody");
    await mkdir(join(directory, "postgres"));
    await initialise({ programs, cluster: clusterIn(join(directory, "postgres")), user });
    expect(nameOf(ownersIn(directory).data)).toBe("nobody");
    const service = await runService(directory, "postgres");
    expect(userOf(service.pids[0])).toBe("nobody");
  });

  it("goes on as the owner of its files, whoever that is", async () => {
    const dataDir = await openDataDir();
    const first = await runService(dataDir, "postgres");
    await write(first.urls, "of another user");
    await first.interrupt();
    execFileSync("chown", ["-R", `${OTHER_UID}:${OTHER_UID}`, join(dataDir, "postgres", "data")]);
    const next = await runService(dataDir, "postgres");
    expect(await written(next.urls)).toEqual(["of another user"]);
    expect(ownersIn(dataDir).data).toBe(OTHER_UID);
    expect(statSync(`/proc/${next.pids[0]}`).uid).toBe(OTHER_UID);
  });

  it("says what to do where the owner of its files cannot reach them", async () => {
    const dataDir = await openDataDir();
    await (await runService(dataDir, "postgres")).interrupt();
    execFileSync("chown", ["-R", String(OTHER_UID), join(dataDir, "postgres", "data")]);
    await chmod(dataDir, 0o700);
    await expect(runService(dataDir, "postgres")).rejects.toThrow(
      new RegExp(
        `DATA_DIR: .*the owner of its files \\(user id ${OTHER_UID}\\), who can reach only folders that every user may enter`,
      ),
    );
  });
});

/** A data folder that every user may enter. */
async function openDataDir(): Promise<string> {
  const dataDir = await temporaryDataDir();
  await chmod(dataDir, 0o755);
  return dataDir;
}

function ownersIn(dataDir: string) {
  const folder = join(dataDir, "postgres");
  return { folder: statSync(folder).uid, data: statSync(join(folder, "data")).uid };
}

function userOf(pid = 0): string {
  return execFileSync("ps", ["-o", "user=", "-p", String(pid)], { encoding: "utf8" }).trim();
}

function nameOf(uid: number): string {
  return execFileSync("id", ["-un", String(uid)], { encoding: "utf8" }).trim();
}
