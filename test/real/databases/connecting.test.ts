import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findFreePort } from "../../../src/dev-servers/free-port.js";
import { startProxy } from "../../support/servers/late-proxy.js";
import { createDatabase, type TestDatabase } from "../../support/servers/postgres.js";
import { createRole, databaseIn, onServer, type TestRole } from "../../support/servers/roles.js";
import { payonce } from "../../support/service/command-line.js";
import { startServiceProcess } from "../../support/service/service-process.js";
import { createAuthority } from "../service/certificates.js";

const env = { PROCESSOR_URL: "instant:", LOG_LEVEL: "warn" };

let database: TestDatabase;
let role: TestRole;
let url: string;
let directory: string;

beforeAll(async () => {
  [database, role] = await Promise.all([createDatabase(), createRole()]);
  directory = await mkdtemp(join(tmpdir(), "payonce-test-connecting-"));
  await chmod(directory, 0o755);
  await onServer(`ALTER DATABASE ${databaseIn(database.url)} OWNER TO ${role.name}`);
  url = role.on(database.url);
});

afterAll(async () => {
  await database?.drop();
  await role?.drop();
  await rm(directory, { recursive: true, force: true });
});

/** The URL with another host and port, and parameters. */
function at(host: string, port: number | "", parameters = ""): string {
  const { username, password, pathname } = new URL(url);
  return `postgres://${username}:${password}@${host}${port === "" ? "" : `:${port}`}${pathname}${parameters}`;
}

describe("a start before the database is there", () => {
  it("waits, says for what, and is not ready before", async () => {
    const port = await findFreePort();
    let openedAtMs = Number.POSITIVE_INFINITY;
    const opening = sleep(3_000).then(() => {
      openedAtMs = performance.now();
      return startProxy({ to: url, at: port });
    });
    const service = await startServiceProcess({
      env: { ...env, DATABASE_URL: at("127.0.0.1", port) },
    });
    expect(performance.now()).toBeGreaterThan(openedAtMs);
    expect(service.output()).toMatch(/ECONNREFUSED.*waiting for the database/);
    expect(service.output().indexOf("waiting for")).toBeLessThan(
      service.output().indexOf("payonce is ready"),
    );
    await service.stop();
    await (await opening).close();
  });

  it("ends after DATABASE_WAIT_MS with the reason", async () => {
    const port = await findFreePort();
    const startedAtMs = performance.now();
    const { code, stdout, stderr } = await payonce(["serve"], {
      ...env,
      LOG_LEVEL: "error",
      DATABASE_URL: at("127.0.0.1", port),
      DATABASE_WAIT_MS: "2s",
    });
    expect(performance.now() - startedAtMs).toBeGreaterThan(2_000);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/^DATABASE_URL: .*ECONNREFUSED[^\n]*\n$/);
  });

  it("does not wait for what no wait changes", async () => {
    const startedAtMs = performance.now();
    const { stderr } = await payonce(["serve"], {
      ...env,
      DATABASE_URL: url.replace(/[^/]+$/, "no_such_database"),
    });
    expect(stderr).toMatch(/^DATABASE_URL: .*"no_such_database" does not exist/);
    expect(performance.now() - startedAtMs).toBeLessThan(10_000);
  });
});

describe("a Unix socket", () => {
  it.each([
    ["as the host", (folder: string) => at(encodeURIComponent(folder), "")],
    ["as a parameter", (folder: string) => at("", "", `?host=${folder}`)],
  ])("%s leads to the database, also one that begins later", async (_, urlOf) => {
    const socket = join(directory, ".s.PGSQL.5432");
    const opening = sleep(1_500).then(() => startProxy({ to: url, at: socket }));
    const { code, stdout } = await payonce(["migrate"], { DATABASE_URL: urlOf(directory) });
    const proxy = await opening;
    expect(proxy.connections()).toBeGreaterThan(0);
    await proxy.close();
    expect(code).toBe(0);
    expect(stdout).toMatch(/deployment/);
  });
});

describe("TLS", () => {
  it("is used and checked as sslmode says", async () => {
    const [own, foreign] = await Promise.all([
      createAuthority(directory, "own"),
      createAuthority(directory, "foreign"),
    ]);
    const port = await findFreePort();
    const proxy = await startProxy({ to: url, at: port, tls: await own.issue("postgres") });
    const migrate = (parameters: string, more = {}) =>
      payonce(["migrate"], { DATABASE_URL: at("127.0.0.1", port, parameters), ...more });
    const verified = await migrate(`?sslmode=verify-full&sslrootcert=${own.certFile}`);
    expect(verified).toMatchObject({ code: 0, stderr: "" });
    expect(await migrate("?sslmode=no-verify")).toMatchObject({ code: 0, stderr: "" });
    expect(await migrate("", { PGSSLMODE: "no-verify" })).toMatchObject({ code: 0 });
    const refused = await migrate(`?sslmode=verify-full&sslrootcert=${foreign.certFile}`);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/^DATABASE_URL: .*certificate/);
    await proxy.close();
  });

  it("that the server does not have is not done without", async () => {
    const port = await findFreePort();
    const proxy = await startProxy({ to: url, at: port });
    const { code, stderr } = await payonce(["migrate"], {
      DATABASE_URL: at("127.0.0.1", port, "?sslmode=verify-full"),
    });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^DATABASE_URL: The server does not support SSL/);
    await proxy.close();
  });
});
