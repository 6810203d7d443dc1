import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { dirname, join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { createDatabase, type TestDatabase } from "../../support/servers/postgres.js";
import { requireRedisServer } from "../../support/servers/redis.js";
import { payonce } from "../../support/service/command-line.js";
import { compileOwnSandbox } from "../../support/service/compile.js";
import { isRunning } from "../../support/service/run-embedded-service.js";

const USAGE_EXIT_CODE = 2;

let directory: string;
let database: TestDatabase;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "payonce-test-configuration-"));
  database = await createDatabase();
  await compileOwnSandbox();
});

afterAll(async () => {
  await database?.drop();
  await rm(directory, { recursive: true, force: true });
});

/** All that a start needs; each test makes one thing of it wrong. */
function goodEnvironment(): Record<string, string> {
  return {
    GRPC_LISTEN: "127.0.0.1:0",
    HTTP_LISTEN: "127.0.0.1:0",
    DATABASE_URL: database.url,
    DATABASE_WAIT_MS: "0ms",
    PROCESSOR_URL: "instant:",
    DATA_DIR: directory,
    LOG_LEVEL: "error",
  };
}

/** Starts the service and returns the one line with which it ends. A null unsets. */
async function refusedStart(env: Record<string, string | null>, args: readonly string[] = []) {
  const given = Object.entries({ ...goodEnvironment(), ...env }).flatMap(([name, value]) =>
    value === null ? [] : [[name, value] as const],
  );
  const { code, stdout, stderr } = await payonce(["serve", ...args], Object.fromEntries(given));
  expect(stdout).not.toContain("payonce is ready");
  const lines = stderr.trim().split("\n");
  expect(lines).toHaveLength(1);
  return { code, line: lines[0] ?? "" };
}

describe("a wrong setting stops the start with one line that names it", () => {
  it.each([
    ["IDEMPOTENCY_LEASE_MS", "10", /^IDEMPOTENCY_LEASE_MS accepts a duration from 1s/],
    ["AUTH_TOKEN_FILE", "hunter2", /^AUTH_TOKEN_FILE is no setting; AUTH_TOKENS_FILE is$/],
    ["GRPC_LISTEN", "0.0.0.0:0", /^GRPC_LISTEN accepts only a loopback address without TLS/],
    ["SANDBOX_LISTEN", "0.0.0.0:0", /^SANDBOX_LISTEN accepts only a loopback address/],
    ["HTTP_LISTEN", "here", /^HTTP_LISTEN accepts host:port/],
    ["REDIS_URLS", "127.0.0.1:1,127.0.0.1:2", /^REDIS_URLS accepts an odd number/],
    ["DATABASE_URL", "mysql://a:hunter2@b/c", /^DATABASE_URL accepts a URL such as postgres:/],
    ["RESPONSE_CACHE_SECRET", "hunter2", /^RESPONSE_CACHE_SECRET accepts at least 32 bytes/],
    ["PROCESSOR_TIMEOUT_MS", "2m", /^PROCESSOR_TIMEOUT_MS accepts less than/],
    ["TLS_CERT_FILE", "cert.pem", /^TLS_CERT_FILE accepts a file only together/],
    ["LOG_LEVEL", "loud", /^LOG_LEVEL accepts debug, info/],
  ])("%s=%s", async (variable, value, expected) => {
    const { code, line } = await refusedStart({ [variable]: value });
    expect(line).toMatch(expected);
    expect(line).not.toContain("hunter2");
    expect(code).toBe(USAGE_EXIT_CODE);
  });

  it("a flag that is wrong", async () => {
    const { code, line } = await refusedStart({}, ["--recovery-interval-ms", "soon"]);
    expect(line).toMatch(/^--recovery-interval-ms accepts a duration/);
    expect(code).toBe(USAGE_EXIT_CODE);
  });

  it("a flag that does not exist", async () => {
    const { code, line } = await refusedStart({}, ["--grpc-lisen", "127.0.0.1:0"]);
    expect(line).toContain("--grpc-lisen");
    expect(code).toBe(USAGE_EXIT_CODE);
  });

  it("a command that does not exist", async () => {
    const { code, stderr } = await payonce(["serv"]);
    expect(stderr).toMatch(/^there is no command "serv"; there are serve, .*\n$/);
    expect(code).toBe(USAGE_EXIT_CODE);
  });
});

describe("what the service cannot use stops the start with one line that names the setting", () => {
  const PASSWORD = "hunter2";

  it("a database that cannot be reached", async () => {
    const { code, line } = await refusedStart({
      DATABASE_URL: `postgres://payonce:${PASSWORD}@localhost:1/payonce`,
    });
    expect(line).toMatch(/^DATABASE_URL: .*ECONNREFUSED/);
    expect(line).not.toContain(PASSWORD);
    expect(code).toBe(1);
  });

  it("a server on which the database does not exist", async () => {
    const url = new URL(database.url);
    url.pathname = "no_such_database";
    const { line } = await refusedStart({ DATABASE_URL: url.href });
    expect(line).toMatch(/^DATABASE_URL: .*"no_such_database" does not exist/);
  });

  it("a host that does not exist", async () => {
    const { line } = await refusedStart({
      DATABASE_URL: `postgres://payonce:${PASSWORD}@no-such-host.invalid/payonce`,
    });
    expect(line).toMatch(/^DATABASE_URL: .*no-such-host\.invalid/);
    expect(line).not.toContain(PASSWORD);
  });

  it("a database that may lose what it has confirmed", async () => {
    const lossy = await createDatabase();
    const name = new URL(lossy.url).pathname.slice(1);
    await onServer(`ALTER DATABASE ${name} SET synchronous_commit = off`);
    const { line } = await refusedStart({ DATABASE_URL: lossy.url });
    await lossy.drop();
    expect(line).toMatch(/^DATABASE_URL: synchronous_commit is off/);
  });

  it("files that do not exist", async () => {
    const missing = join(directory, "missing");
    const present = join(directory, "present");
    await writeFile(present, "");
    for (const [variable, others] of [
      ["TLS_CERT_FILE", { TLS_KEY_FILE: present }],
      ["TLS_KEY_FILE", { TLS_CERT_FILE: present }],
      ["AUTH_TOKENS_FILE", {}],
    ] as const) {
      const { code, line } = await refusedStart({ ...others, [variable]: missing });
      expect(line).toMatch(new RegExp(`^${variable}: .*${missing}`));
      expect(code).toBe(1);
    }
  });

  describe.each([
    ["its Postgres", { DATABASE_URL: null }],
    ["its sandbox", { PROCESSOR_URL: null, SANDBOX_LISTEN: "127.0.0.1:0" }],
    ["its Redis nodes", { PATH: dirname(requireRedisServer()) }],
  ])("a DATA_DIR in which %s cannot keep anything", (_, more) => {
    it("because a file is in its place", async () => {
      const file = join(directory, "file");
      await writeFile(file, "");
      await expectRefusal(file, /EEXIST|ENOTDIR/);
      await expectRefusal(join(file, "below"), /ENOTDIR/);
    });

    it("because the file system makes nothing there", async () => {
      await expectRefusal("/proc/x", /ENOENT/);
      await expectRefusal("/sys/x/y", /EPERM|EACCES|EROFS|ENOENT/);
    });

    async function expectRefusal(dataDir: string, reason: RegExp) {
      const { code, line } = await refusedStart({ DATA_DIR: dataDir, ...more });
      expect(line).toMatch(/^DATA_DIR: [^:]*: /);
      expect(line).toMatch(reason);
      expect(code).toBe(1);
    }
  });

  it.skipIf(userInfo().uid !== 0)("a root with no account that Postgres could run as", async () => {
    const { line } = await refusedStart({ DATABASE_URL: null, PATH: directory });
    expect(line).toMatch(
      /^DATA_DIR: started by root, the embedded Postgres runs as postgres or nobody, and this machine has no such account\. /,
    );
  });

  it("a DATA_DIR whose Postgres is broken", async () => {
    const dataDir = await mkdtemp(join(directory, "broken-"));
    await mkdir(join(dataDir, "postgres", "data"), { recursive: true });
    await writeFile(join(dataDir, "postgres", "password"), "hunter2");
    const { line } = await refusedStart({ DATA_DIR: dataDir, DATABASE_URL: null });
    expect(line).toMatch(/^DATA_DIR: Postgres ended before it was ready: .*postgres/);
    expect(line).not.toContain(PASSWORD);
  });

  it("a certificate that is none", async () => {
    const file = join(directory, "certificate");
    await writeFile(file, "no certificate");
    const { line } = await refusedStart({ TLS_CERT_FILE: file, TLS_KEY_FILE: file });
    expect(line).toMatch(/^TLS_CERT_FILE, TLS_KEY_FILE: /);
  });

  it("a tokens file with a wrong entry", async () => {
    const file = join(directory, "tokens");
    await writeFile(file, JSON.stringify([{ sha256: "hunter2", tenant: "acme", role: "caller" }]));
    const { line } = await refusedStart({ AUTH_TOKENS_FILE: file });
    expect(line).toMatch(/^AUTH_TOKENS_FILE: entry 0: "sha256" accepts/);
    expect(line).not.toContain(PASSWORD);
  });
});

describe("a port that is in use", () => {
  let occupant: Server;
  let occupied: string;

  beforeAll(async () => {
    occupant = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => occupant.once("listening", resolve));
    const address = occupant.address();
    occupied = `127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
  });

  afterAll(() => {
    occupant.close();
  });

  it.each(["GRPC_LISTEN", "HTTP_LISTEN"])(
    "%s: one line, and nothing that was started is left running",
    async (variable) => {
      const { PATH, pids } = await recordingRedis();
      const { code, line } = await refusedStart({ [variable]: occupied, PATH });
      expect(line).toMatch(new RegExp(`^${variable}: cannot listen on ${occupied}: .*EADDRINUSE`));
      expect(code).toBe(1);
      const nodes = await pids();
      expect(nodes).toHaveLength(3);
      expect(nodes.filter(isRunning)).toEqual([]);
    },
  );

  it("SANDBOX_LISTEN: one line, which does not blame PROCESSOR_URL", async () => {
    const { code, line } = await refusedStart({ SANDBOX_LISTEN: occupied, PROCESSOR_URL: null });
    expect(line).toMatch(new RegExp(`^SANDBOX_LISTEN: cannot listen on ${occupied}: .*EADDRINUSE`));
    expect(code).toBe(1);
    const alone = await payonce(["sandbox"], { SANDBOX_LISTEN: occupied, DATA_DIR: directory });
    expect(alone).toMatchObject({ code: 1, stdout: "", stderr: `${line}\n` });
  });

  it("SANDBOX_STRIPE_LISTEN: one line, and the data directory is free again", async () => {
    const env = { SANDBOX_LISTEN: "127.0.0.1:0", SANDBOX_STRIPE_LISTEN: occupied };
    const { code, line } = await refusedStart({ ...env, PROCESSOR_URL: null });
    const refused = new RegExp(
      `^SANDBOX_STRIPE_LISTEN: cannot listen on ${occupied}: .*EADDRINUSE`,
    );
    expect(line).toMatch(refused);
    expect(code).toBe(1);
    for (const _ of [1, 2]) {
      const alone = await payonce(["sandbox"], { ...env, DATA_DIR: directory });
      expect(alone).toMatchObject({ code: 1, stderr: expect.stringMatching(refused) });
    }
  });
});

/** A redis-server for the PATH that writes down which processes it has been. */
async function recordingRedis() {
  const folder = await mkdtemp(join(directory, "redis-"));
  const record = join(folder, "pids");
  const script = `#!/bin/sh\necho $$ >> ${record}\nexec ${requireRedisServer()} "$@"\n`;
  await writeFile(join(folder, "redis-server"), script, { mode: 0o755 });
  return {
    PATH: folder,
    pids: async () => (await readFile(record, "utf8")).trim().split("\n").map(Number),
  };
}

async function onServer(statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: inject("postgresUrl") });
  await client.connect();
  await client.query(statement);
  await client.end();
}
