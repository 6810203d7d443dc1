import { describe, expect, it, vi } from "vitest";
import { serve } from "../../../src/server/commands/serve.js";
import {
  ConfigError,
  type ConfigSources,
  configWarnings,
  formatAddress,
  readConfig,
} from "../../../src/server/config.js";

const VARIABLES = [
  "GRPC_LISTEN",
  "HTTP_LISTEN",
  "HTTP_ALLOWED_HOSTS",
  "DATABASE_URL",
  "DATABASE_SCHEMA",
  "DATABASE_WAIT_MS",
  "DATABASE_WRITE_CONNECTIONS",
  "DATABASE_READ_CONNECTIONS",
  "DATABASE_STREAM_CONNECTIONS",
  "DATABASE_INSPECTION_CONNECTIONS",
  "DATABASE_READ_TIMEOUT_MS",
  "REDIS_URLS",
  "REDIS_LOCKS",
  "PROCESSOR_URL",
  "PROCESSOR_TIMEOUT_MS",
  "PROCESSOR_KEY_WINDOW_MS",
  "PAYMENT_ACTION_TIMEOUT_MS",
  "STRIPE_SECRET_KEY",
  "STRIPE_SECRET_KEY_FILE",
  "STRIPE_WEBHOOK_SECRET",
  "STRIPE_API_BASE",
  "STRIPE_RETURN_URL",
  "STRIPE_MULTICAPTURE",
  "SHUTDOWN_TIMEOUT_MS",
  "DATA_DIR",
  "IDEMPOTENCY_LEASE_MS",
  "IDEMPOTENCY_MAX_EXECUTION_MS",
  "IDEMPOTENCY_RETENTION_MS",
  "RESPONSE_CACHE_TTL_MS",
  "RESPONSE_CACHE_MEMORY_MIB",
  "RESPONSE_CACHE_SECRET",
  "RECOVERY_INTERVAL_MS",
  "TLS_CERT_FILE",
  "TLS_KEY_FILE",
  "TLS_CLIENT_CA_FILE",
  "AUTH_TOKENS_FILE",
  "MAX_CONNECTIONS",
  "MAX_CONNECTIONS_PER_PEER",
  "MAX_STREAMS_PER_CONNECTION",
  "REQUEST_TIMEOUT_MS",
  "WEBHOOKS_FILE",
  "WEBHOOKS_ALLOW_PRIVATE",
  "LOG_LEVEL",
  "SANDBOX_LISTEN",
  "SANDBOX_TOKEN_FILE",
  "SANDBOX_PROFILE",
  "SANDBOX_STRIPE_LISTEN",
  "SANDBOX_STRIPE_SEARCH_LAG_MS",
  "SANDBOX_STRIPE_MULTICAPTURE",
  "SANDBOX_STRIPE_WEBHOOK_URL",
  "SANDBOX_STRIPE_WEBHOOK_SECRET",
];

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

function read(env: Record<string, string>, flags: ConfigSources["flags"] = {}) {
  return readConfig({ env, flags });
}

function problems(env: Record<string, string>, flags: ConfigSources["flags"] = {}) {
  try {
    read(env, flags);
  } catch (error) {
    if (error instanceof ConfigError) {
      return error.problems;
    }
    throw error;
  }
  return [];
}

describe("defaults", () => {
  it("are those of the contract", () => {
    expect(read({})).toEqual({
      grpcListen: { host: "127.0.0.1", port: 50051 },
      httpListen: { host: "127.0.0.1", port: 8080 },
      databaseWriteConnections: 10,
      databaseReadConnections: 4,
      databaseStreamConnections: 2,
      databaseInspectionConnections: 2,
      databaseReadTimeoutMs: 5_000,
      redisLocks: "batched",
      stripeApiBase: new URL("https://api.stripe.com"),
      stripeMulticapture: "off",
      sandboxListen: { host: "127.0.0.1", port: 50061 },
      sandboxStripeSearchLagMs: 0,
      sandboxStripeMulticapture: "off",
      databaseWaitMs: 30_000,
      processorTimeoutMs: 10_000,
      paymentActionTimeoutMs: 3_600_000,
      shutdownTimeoutMs: 30_000,
      dataDir: ".payonce",
      idempotencyLeaseMs: 15_000,
      idempotencyMaxExecutionMs: 60_000,
      idempotencyRetentionMs: 30 * DAY_MS,
      responseCacheTtlMs: HOUR_MS,
      responseCacheMemoryMib: 32,
      recoveryIntervalMs: 1_000,
      maxConnections: 10_000,
      maxConnectionsPerPeer: 1_000,
      maxStreamsPerConnection: 1_000,
      requestTimeoutMs: 30_000,
      logLevel: "info",
      webhooksAllowPrivate: "no",
      insecure: false,
      insecureOperator: false,
      misspelled: [],
      searchPath: "",
    });
  });

  it("let programs be looked for on the PATH", () => {
    expect(read({ PATH: "/opt/redis/bin:/usr/bin" }).searchPath).toBe("/opt/redis/bin:/usr/bin");
  });

  it("give way to this process's environment where no other is given", () => {
    vi.stubEnv("LOG_LEVEL", "warn");
    const { logLevel } = readConfig();
    vi.unstubAllEnvs();
    expect(logLevel).toBe("warn");
  });
});

describe("durations", () => {
  it.each([
    ["1500", 1_500],
    ["1500ms", 1_500],
    ["20s", 20_000],
    ["2m", 120_000],
    ["24h", DAY_MS],
    ["7d", 7 * DAY_MS],
  ])("%s", (text, expectedMs) => {
    expect(read({ IDEMPOTENCY_RETENTION_MS: text }).idempotencyRetentionMs).toBe(expectedMs);
  });

  it.each(["", "abc", "-1", "0", "1.5h", "10 s", "10sec", "1e3", "99999999999d", "10s "])(
    "%j is refused",
    (text) => {
      expect(problems({ RECOVERY_INTERVAL_MS: text })).toEqual([
        "RECOVERY_INTERVAL_MS accepts a duration from 1ms to 24d, in milliseconds or with a unit (ms, s, m, h, d)",
      ]);
    },
  );

  it("a timer longer than Node's timers is refused", () => {
    expect(problems({ IDEMPOTENCY_MAX_EXECUTION_MS: "25d" })).toHaveLength(1);
  });

  it("a lease below a second is refused", () => {
    expect(problems({ IDEMPOTENCY_LEASE_MS: "999" })).toHaveLength(1);
    expect(read({ IDEMPOTENCY_LEASE_MS: "1000" }).idempotencyLeaseMs).toBe(1_000);
  });
});

describe("hosts that HTTP answers to", () => {
  it("are names and addresses, in any case", () => {
    const { httpAllowedHosts } = read({ HTTP_ALLOWED_HOSTS: "Pay.example, 10.0.0.1,[::1]" });
    expect(httpAllowedHosts).toEqual(["pay.example", "10.0.0.1", "::1"]);
  });

  it.each(["", "*", "a,,b", "http://a", "a:80", "a/b", "a b"])("%j is refused", (text) => {
    expect(problems({ HTTP_ALLOWED_HOSTS: text })).toEqual([
      "HTTP_ALLOWED_HOSTS accepts host names or addresses with commas between them, without scheme and port",
    ]);
  });
});

describe("addresses", () => {
  it.each([
    ["127.0.0.1:0", { host: "127.0.0.1", port: 0 }],
    ["localhost:65535", { host: "localhost", port: 65_535 }],
    ["[::1]:50051", { host: "::1", port: 50_051 }],
  ])("%s", (text, expected) => {
    const { grpcListen } = read({ GRPC_LISTEN: text });
    expect(grpcListen).toEqual(expected);
    expect(formatAddress(grpcListen)).toBe(text);
  });

  it.each([
    "",
    "50051",
    ":50051",
    "::1:50051",
    "127.0.0.1",
    "127.0.0.1:65536",
    "127.1:80",
    "256.0.0.1:80",
    "host:",
    "http://localhost:80",
    "[localhost]:80",
    "a b:80",
  ])("%j is refused", (text) => {
    expect(problems({ GRPC_LISTEN: text }, { insecure: true })).toEqual([
      "GRPC_LISTEN accepts host:port, such as 127.0.0.1:50051 or [::1]:50051; port 0 picks a free one",
    ]);
  });
});

describe("PROCESSOR_URL", () => {
  it.each([
    ["instant:", { kind: "instant" }],
    ["psp_1:443", { kind: "remote", address: { host: "psp_1", port: 443 } }],
    ["grpc://[::1]:50061", { kind: "remote", address: { host: "::1", port: 50_061 } }],
  ])("%s", (text, expected) => {
    expect(read({ PROCESSOR_URL: text }).processorUrl).toEqual(expected);
  });

  it.each(["", "instant", "http://psp:80", "psp:0", "grpc://psp", "grpc://psp:80/path"])(
    "%j is refused",
    (text) => {
      expect(problems({ PROCESSOR_URL: text })).toEqual([
        "PROCESSOR_URL accepts host:port, grpc://host:port, stripe:, or instant:",
      ]);
    },
  );
});

describe("Stripe", () => {
  const stripe = { PROCESSOR_URL: "stripe:", STRIPE_SECRET_KEY: "sk_test_51abc" };

  it("needs its key, as a variable or in a file", () => {
    expect(read(stripe).processorUrl).toEqual({ kind: "stripe" });
    expect(problems({ PROCESSOR_URL: "stripe:" })).toEqual([
      "PROCESSOR_URL accepts stripe: only together with STRIPE_SECRET_KEY or STRIPE_SECRET_KEY_FILE",
    ]);
    expect(problems({ PROCESSOR_URL: "stripe:", STRIPE_SECRET_KEY_FILE: "/key" })).toEqual([]);
    expect(problems({ ...stripe, STRIPE_SECRET_KEY_FILE: "/key" })).toEqual([
      "STRIPE_SECRET_KEY_FILE accepts a file only without STRIPE_SECRET_KEY",
    ]);
  });

  it.each(["sk_live_1", "rk_test_1", "rk_live_1"])("takes %s", (key) => {
    expect(problems({ ...stripe, STRIPE_SECRET_KEY: key })).toEqual([]);
  });

  it.each(["pk_test_marked", "whsec_marked", "sk_marked", "sk_test_", "sk_test_marked x"])(
    "refuses %j without repeating it",
    (key) => {
      const [problem = "", ...others] = problems({ ...stripe, STRIPE_SECRET_KEY: key });
      expect(problem).toMatch(/^STRIPE_SECRET_KEY accepts a secret or restricted key/);
      expect(others).toEqual([]);
      expect(problem).not.toContain("marked");
    },
  );

  it.each([
    "https://api.stripe.com",
    "http://127.0.0.1:12111",
    "http://[::1]:1",
    "http://localhost:1",
  ])("STRIPE_API_BASE=%s", (base) => {
    expect(read({ STRIPE_API_BASE: base }).stripeApiBase).toEqual(new URL(base));
  });

  it("STRIPE_RETURN_URL is a page, and safe on its way", () => {
    const page = "https://shop.example/paid?order=1";
    expect(read({ STRIPE_RETURN_URL: page }).stripeReturnUrl).toEqual(new URL(page));
    for (const text of ["http://shop.example/paid", "javascript:alert(1)", "/paid"]) {
      expect(problems({ STRIPE_RETURN_URL: text })).toEqual([
        "STRIPE_RETURN_URL accepts a URL such as https://shop.example/paid; http:// on loopback only",
      ]);
    }
  });

  it.each([
    "http://stripe.example:80",
    "https://api.stripe.com/v1",
    "https://user@api.stripe.com",
    "ftp://127.0.0.1",
    "api.stripe.com",
  ])("STRIPE_API_BASE=%s is refused", (base) => {
    expect(problems({ STRIPE_API_BASE: base })).toEqual([
      "STRIPE_API_BASE accepts a URL such as https://api.stripe.com, without a path; http:// on loopback only",
    ]);
  });
});

describe("DATABASE_URL", () => {
  it.each([
    "postgres://a:5432,b:5432/db",
    "postgres://user:hunter2@a,b/db",
    "postgres:///db?host=a,b",
    "postgres://a/db?target_session_attrs=read-write",
  ])("%s is refused: the driver knows one host", (url) => {
    expect(problems({ DATABASE_URL: url })).toEqual([
      "DATABASE_URL accepts a URL such as postgres://user:password@host:5432/database, of one host",
    ]);
  });
});

describe("REDIS_URLS", () => {
  it.each([
    ["10.0.0.1:6379", ["redis://10.0.0.1:6379"]],
    [
      "redis://a, redis://b/1,rediss://user:p%2Cw@c:7000",
      ["redis://a", "redis://b/1", "rediss://user:p%2Cw@c:7000"],
    ],
    ["[::1]:6379", ["redis://[::1]:6379"]],
  ])("%s", (text, expected) => {
    expect(read({ REDIS_URLS: text }).redisUrls).toEqual(expected);
  });

  it.each([
    ["an even count", "a:1,b:1"],
    ["a node twice", "a:1,b:1,a:1"],
    ["a node twice, the default port once in words", "redis://A,b:1,a:6379"],
    ["two databases of one node", "redis://a/0,redis://a/1,b:1"],
    ["this machine twice, by name and address", "127.0.0.1:1,Localhost:1,b:1"],
    ["this machine twice, by both kinds of address", "127.0.0.1,b:1,redis://[::1]"],
    ["this machine twice, IPv4 in IPv6", "127.0.0.1:1,b:1,[::ffff:127.0.0.1]:1"],
    ["an empty list", ""],
    ["an empty entry", "a:1,,b:1"],
    ["another protocol", "http://a:1"],
    ["port 0", "a:0"],
    ["a path that is no database", "redis://a/queue"],
  ])("%s is refused", (_, text) => {
    expect(problems({ REDIS_URLS: text })).toEqual([
      "REDIS_URLS accepts an odd number of different nodes with commas between them, each host:port, redis://... or rediss://...; localhost and 127.0.0.1 are one",
    ]);
  });

  it.each(["127.0.0.1:1,localhost:2,[::1]:3", "127.0.0.1:1,127.0.0.2:1,127.0.0.3:1"])(
    "%s are different nodes",
    (text) => {
      expect(read({ REDIS_URLS: text }).redisUrls).toHaveLength(3);
    },
  );
});

describe("secrets and paths", () => {
  it("never appear in a problem, also when set where they do not belong", () => {
    const secret = "hunter2";
    const all = Object.fromEntries(
      VARIABLES.map((variable) => [variable, `mysql://root:${secret}@h/\0`]),
    );
    const lines = problems(all);
    expect(lines.length).toBe(VARIABLES.length);
    expect(lines.join("\n")).not.toContain(secret);
  });

  it.each(["-1", "4097", "1.5", "32MiB", "many"])("RESPONSE_CACHE_MEMORY_MIB is not %s", (text) => {
    expect(problems({ RESPONSE_CACHE_MEMORY_MIB: text })).toEqual([
      "RESPONSE_CACHE_MEMORY_MIB accepts a whole number of MiB from 0 to 4096",
    ]);
  });

  it("a short RESPONSE_CACHE_SECRET is refused", () => {
    expect(problems({ RESPONSE_CACHE_SECRET: "x".repeat(31) })).toEqual([
      "RESPONSE_CACHE_SECRET accepts at least 32 bytes that nobody can guess",
    ]);
    expect(problems({ RESPONSE_CACHE_SECRET: "x".repeat(32) })).toEqual([]);
  });

  it("a database password that is not percent-encoded is refused", () => {
    expect(problems({ DATABASE_URL: "postgres://user:pa#ss@host/db" })).toHaveLength(1);
    expect(read({ DATABASE_URL: "postgres:///db?host=/run/pg" }).databaseUrl).toContain("/run/pg");
    for (const socket of [
      "postgres://u:p@/db?host=/run/pg",
      "postgres://u:p@%2Frun%2Fpg:5433/db",
    ]) {
      expect(read({ DATABASE_URL: socket }).databaseUrl).toBe(socket);
    }
  });

  it("an empty AUTH_TOKENS_FILE is refused: an expansion that failed must not switch authentication off", () => {
    expect(problems({ AUTH_TOKENS_FILE: "" })).toEqual([
      "AUTH_TOKENS_FILE accepts the path of a file",
    ]);
  });
});

describe("flags", () => {
  function parse(...args: string[]) {
    return serve.parseOptions(args) && serve.opts();
  }

  it("beat the environment", () => {
    const flags = parse("--log-level", "debug", "--data-dir=/tmp/a");
    const config = read({ LOG_LEVEL: "error", SANDBOX_LISTEN: "127.0.0.1:1" }, flags);
    expect(config).toMatchObject({
      logLevel: "debug",
      dataDir: "/tmp/a",
      sandboxListen: { port: 1 },
    });
  });

  it("are named in problems, where the value comes from one", () => {
    expect(problems({ LOG_LEVEL: "info" }, parse("--log-level", "loud"))).toEqual([
      "--log-level accepts debug, info, warn, error, silent",
    ]);
  });

  it("exist for every variable", () => {
    const names = VARIABLES.map((variable) => variable.toLowerCase().replaceAll("_", "-"));
    const flags = serve.options.map(({ long }) => long?.slice("--".length));
    expect(flags.sort()).toEqual([...names, "insecure", "insecure-operator"].sort());
  });

  it("leaves flags of a command's own alone", () => {
    expect(problems({}, { count: "100" })).toEqual([]);
  });
});

describe("rules about several settings", () => {
  const tls = { TLS_CERT_FILE: "cert.pem", TLS_KEY_FILE: "key.pem" };
  const tokens = { AUTH_TOKENS_FILE: "tokens.json" };
  const clientCa = { TLS_CLIENT_CA_FILE: "ca.pem" };

  it.each([
    [
      "a certificate without a key",
      { TLS_CERT_FILE: "c" },
      ["TLS_CERT_FILE accepts a file only together with TLS_KEY_FILE"],
    ],
    [
      "a key without a certificate",
      { TLS_KEY_FILE: "k" },
      ["TLS_KEY_FILE accepts a file only together with TLS_CERT_FILE"],
    ],
    [
      "client certificates without TLS",
      clientCa,
      ["TLS_CLIENT_CA_FILE accepts a file only together with TLS_CERT_FILE and TLS_KEY_FILE"],
    ],
    [
      "an attempt shorter than its lease",
      { IDEMPOTENCY_MAX_EXECUTION_MS: "14s" },
      ["IDEMPOTENCY_MAX_EXECUTION_MS accepts at least the duration of IDEMPOTENCY_LEASE_MS"],
    ],
    [
      "a processor's timeout that an attempt cannot await",
      { PROCESSOR_TIMEOUT_MS: "60s" },
      ["PROCESSOR_TIMEOUT_MS accepts less than the duration of IDEMPOTENCY_MAX_EXECUTION_MS"],
    ],
  ])("%s is refused", (_, env: Record<string, string>, expected) => {
    expect(problems(env)).toEqual(expected);
  });

  it("TLS with client certificates is accepted", () => {
    expect(problems({ ...tls, ...clientCa })).toEqual([]);
  });

  describe.each(["GRPC_LISTEN", "HTTP_LISTEN"])("%s beyond loopback", (variable) => {
    it.each(["0.0.0.0:1", "[::]:1", "10.1.2.3:1", "payments.example:1", "[fe80::1%eth0]:1"])(
      "%s is refused without TLS and authentication",
      (address) => {
        const env = { [variable]: address };
        const refusal = expect.stringMatching(`^${variable} accepts only a loopback address`);
        expect(problems(env)).toEqual([refusal]);
        expect(problems({ ...env, ...tls })).toEqual([refusal]);
        expect(problems({ ...env, ...tokens })).toEqual([refusal]);
        expect(problems({ ...env, ...tls, ...tokens })).toEqual([]);
        expect(problems({ ...env, ...tls, ...clientCa })).toEqual([]);
        expect(problems(env, { insecure: true })).toEqual([]);
      },
    );

    it.each(["127.0.0.1:1", "127.9.9.9:1", "localhost:1", "[::1]:1", "[::ffff:127.0.0.1]:1"])(
      "%s counts as loopback",
      (address) => {
        expect(problems({ [variable]: address })).toEqual([]);
      },
    );
  });

  it("the sandbox listens beyond loopback only where that is said", () => {
    const env = { SANDBOX_LISTEN: "0.0.0.0:1", ...tls, ...tokens };
    expect(problems(env)).toEqual([
      "SANDBOX_LISTEN accepts only a loopback address; --insecure lifts this",
    ]);
    expect(problems(env, { insecure: true })).toEqual([]);
    expect(problems({ SANDBOX_LISTEN: "[::1]:1" })).toEqual([]);
    const webhook = {
      SANDBOX_STRIPE_WEBHOOK_URL: "http://127.0.0.1:1/",
      SANDBOX_STRIPE_WEBHOOK_SECRET: "s".repeat(32),
      SANDBOX_STRIPE_LISTEN: "127.0.0.1:1",
    };
    expect(problems(webhook)).toEqual([]);
    const { SANDBOX_STRIPE_LISTEN, ...withoutFace } = webhook;
    const { SANDBOX_STRIPE_WEBHOOK_SECRET, ...withoutSecret } = webhook;
    for (const env of [withoutFace, withoutSecret]) {
      expect(problems(env)).toEqual([
        "SANDBOX_STRIPE_WEBHOOK_URL accepts a URL only together with SANDBOX_STRIPE_WEBHOOK_SECRET and SANDBOX_STRIPE_LISTEN",
      ]);
    }
    expect(problems({ SANDBOX_STRIPE_LISTEN: "0.0.0.0:1", ...tls, ...tokens })).toEqual([
      "SANDBOX_STRIPE_LISTEN accepts only a loopback address; --insecure lifts this",
    ]);
  });

  it("everybody may be an operator only on loopback and without authentication", () => {
    const flags = { insecureOperator: true };
    expect(read({}).insecureOperator).toBe(false);
    expect(read({}, flags).insecureOperator).toBe(true);
    for (const env of [
      { GRPC_LISTEN: "0.0.0.0:1" },
      { HTTP_LISTEN: "10.1.2.3:1" },
      { ...tls, ...tokens },
      { ...tls, ...clientCa },
    ]) {
      expect(problems(env, { ...flags, insecure: true })).toEqual([
        expect.stringMatching(/^--insecure-operator accepts only a service on loopback/),
      ]);
    }
  });

  it("are not reported about settings that were refused themselves", () => {
    expect(problems({ TLS_CERT_FILE: "", TLS_KEY_FILE: "k", IDEMPOTENCY_LEASE_MS: "x" })).toEqual([
      expect.stringContaining("IDEMPOTENCY_LEASE_MS"),
      expect.stringContaining("TLS_CERT_FILE"),
    ]);
  });
});

describe("what is permitted and should be known of", () => {
  const warnings = (env: Record<string, string>) => configWarnings(read(env));

  it("is nothing with the defaults", () => {
    expect(warnings({})).toEqual([]);
    const key = { STRIPE_SECRET_KEY: "sk_test_MARKED" };
    expect(warnings({ ...key, PROCESSOR_URL: "stripe:" })).toEqual([]);
  });

  it("name a key of Stripe's that charges nothing", () => {
    expect(warnings({ STRIPE_SECRET_KEY: "sk_test_MARKED" })).toEqual([
      "STRIPE_SECRET_KEY is given, and PROCESSOR_URL is not stripe: no card is charged through Stripe",
    ]);
  });

  it("are errors where webhooks could never connect", () => {
    const env = { TLS_CERT_FILE: "c", TLS_KEY_FILE: "k", TLS_CLIENT_CA_FILE: "ca" };
    const secret = { STRIPE_WEBHOOK_SECRET: "whsec_MARKED" };
    expect(problems({ ...env, ...secret }).join()).toContain("STRIPE_WEBHOOK_SECRET accepts");
    expect(problems({ ...env, ...secret, AUTH_TOKENS_FILE: "t" })).toEqual([]);
  });

  it.each([
    [{ RESPONSE_CACHE_TTL_MS: "2h" }, 0],
    [{ RESPONSE_CACHE_TTL_MS: "7200001" }, 1],
    [{ PROCESSOR_KEY_WINDOW_MS: "12h" }, 0],
    [{ PROCESSOR_KEY_WINDOW_MS: "11h" }, 1],
    [{ PROCESSOR_KEY_WINDOW_MS: "30d", RESPONSE_CACHE_TTL_MS: "2d" }, 0],
  ])("copies that live long beside the processor's window: %o", (env, count) => {
    const found = warnings(env);
    expect(found).toHaveLength(count);
    for (const warning of found) {
      expect(warning).toMatch(/^RESPONSE_CACHE_TTL_MS .* PROCESSOR_KEY_WINDOW_MS/);
    }
  });
});

describe("variables of an authentication that is not there", () => {
  it("stop the start", () => {
    expect(problems({ AUTH_JWT_ISSUER: "https://issuer.example" })).toEqual([
      "AUTH_JWT_ISSUER is no setting: this build knows no JWT; AUTH_TOKENS_FILE is",
    ]);
  });
});

describe("misspelled variables", () => {
  it.each([
    ["AUTH_TOKEN_FILE", "AUTH_TOKENS_FILE"],
    ["AUTH_TOKENS", "AUTH_TOKENS_FILE"],
    ["AUTH_TOKEN", "AUTH_TOKENS_FILE"],
    ["TLS_CERT", "TLS_CERT_FILE"],
    ["TLS_KEY", "TLS_KEY_FILE"],
    ["TLS_CERTIFICATE_FILE", "TLS_CERT_FILE"],
    ["TLS_CA_FILE", "TLS_CLIENT_CA_FILE"],
    ["GRPC_LISTN", "GRPC_LISTEN"],
    ["GRPC_LISTEN_ADDRESS", "GRPC_LISTEN"],
    ["HTTP_ADDR", "HTTP_LISTEN"],
    ["SANDBOX_LISTENS", "SANDBOX_LISTEN"],
    ["PAYONCE_AUTH_TOKENS_FILE", "AUTH_TOKENS_FILE"],
    ["DATABASE_URI", "DATABASE_URL"],
    ["PROCESSOR_URI", "PROCESSOR_URL"],
    ["RESPONSE_CACHE_SERCET", "RESPONSE_CACHE_SECRET"],
  ])(
    "%s stops the start: who may call, or where money goes, hangs on it",
    (misspelled, intended) => {
      expect(problems({ [misspelled]: "hunter2" })).toEqual([
        `${misspelled} is no setting; ${intended} is`,
      ]);
    },
  );

  it.each([
    ["IDEMPOTENCY_LEASE", "IDEMPOTENCY_LEASE_MS"],
    ["IDEMPOTENCE_RETENTION_MS", "IDEMPOTENCY_RETENTION_MS"],
    ["PROCESSOR_TIMEOUT", "PROCESSOR_TIMEOUT_MS"],
    ["LOG_LEVL", "LOG_LEVEL"],
    ["REDIS_URL", "REDIS_URLS"],
    // Platforms put these into every environment.
    ["PORT", "HTTP_LISTEN"],
    ["GRPC_PORT", "GRPC_LISTEN"],
    ["PROCESSOR_PORT", "PROCESSOR_URL"],
    ["DATABASE_HOST", "DATABASE_URL"],
  ])("%s is a warning", (misspelled, intended) => {
    expect(configWarnings(read({ [misspelled]: "1s" }))).toEqual([
      `${misspelled} is no setting; ${intended} is`,
    ]);
  });

  it("are none where the setting is given as well", () => {
    const env = { REDIS_URL: "redis://one", PORT: "80" };
    expect(configWarnings(read({ ...env, REDIS_URLS: "one", HTTP_LISTEN: "[::1]:80" }))).toEqual(
      [],
    );
    expect(configWarnings(read(env, { redisUrls: "one" }))).toHaveLength(1);
    const urls = { DATABASE_URL: "postgres://a/b", DATABASE_PUBLIC_URL: "postgres://c/b" };
    expect(problems(urls)).toEqual([]);
    expect(problems({ DATABASE_PUBLIC_URL: urls.DATABASE_PUBLIC_URL })).toHaveLength(1);
  });

  it.each([
    "PROCESSOR_ARCHITECTURE",
    "PROCESSOR_IDENTIFIER",
    "PROCESSOR_LEVEL",
    "PROCESSOR_REVISION",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "SSL_CERT_FILE",
    "NODE_EXTRA_CA_CERTS",
    "XDG_DATA_DIRS",
    "NPM_CONFIG_LOGLEVEL",
    "HTTP_PROXY",
    "http_proxy",
    // Kubernetes, beside services named auth, payonce and redis.
    "AUTH_SERVICE_HOST",
    "AUTH_PORT_80_TCP_ADDR",
    "AUTH_PORT",
    "PAYONCE_PORT",
    "PAYONCE_SERVICE_HOST",
    "REDIS_SERVICE_PORT",
    "AUTH_URL",
    "PATH",
    "PWD",
  ])("%s is another program's", (variable) => {
    expect(problems({ [variable]: "x" })).toEqual([]);
    expect(configWarnings(read({ [variable]: "x" }))).toEqual([]);
  });
});

describe("everything that is wrong", () => {
  it("is reported at once, one line each", () => {
    const attempt = () =>
      read({ LOG_LEVEL: "loud", PROCESSOR_URI: "x", TLS_KEY_FILE: "k" }, { grpcListen: "here" });
    expect(attempt).toThrow(ConfigError);
    expect(attempt).toThrow(
      [
        "PROCESSOR_URI is no setting; PROCESSOR_URL is",
        "--grpc-listen accepts host:port, such as 127.0.0.1:50051 or [::1]:50051; port 0 picks a free one",
        "LOG_LEVEL accepts debug, info, warn, error, silent",
        "TLS_KEY_FILE accepts a file only together with TLS_CERT_FILE",
      ].join("\n"),
    );
  });
});

describe("payonce serve --help", () => {
  it.each(VARIABLES)(
    "shows the flag of %s, its meaning, what it accepts and its default",
    (variable) => {
      const flag = `--${variable.toLowerCase().replaceAll("_", "-")}`;
      expect(serve.helpInformation()).toMatch(
        new RegExp(`^  ${flag} +\\S.*\n +accepts \\S.*\n +default: \\S.*$`, "m"),
      );
    },
  );
});
