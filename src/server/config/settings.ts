import {
  count,
  duration,
  hostNames,
  listenAddress,
  mebibytes,
  oneOf,
  type Parser,
  path,
  postgresUrl,
  processorTarget,
  redisUrls,
  secret,
} from "./parsers.js";

/** One setting: a variable of the environment, and a flag of the command line. */
export interface Setting<Value, Unset = never> {
  readonly variable: string;
  readonly meaning: string;
  readonly parser: Parser<Value>;
  /** What holds where it is not given: in words, and as a value. */
  readonly otherwise: { readonly text: string; readonly value: Value | Unset };
}

type Description<Value> = Omit<Setting<Value>, "otherwise">;

function withDefault<Value>(text: string, description: Description<Value>): Setting<Value> {
  const value = description.parser.parse(text);
  if (value === undefined) {
    throw new RangeError(`${description.variable}: its own default is not accepted`);
  }
  return { ...description, otherwise: { text, value } };
}

function optional<Value>(text: string, description: Description<Value>): Setting<Value, undefined> {
  return { ...description, otherwise: { text, value: undefined } };
}

// A little less than 2^31 - 1 ms; past that, Node's timers fire at once.
const LONGEST_TIMER = "24d";

// Longer than any duty to keep books, and within the dates that Postgres knows.
const LONGEST_RETENTION = "36500d";

/** All settings, by their names in `Config`. The flags and the help follow from them. */
export const settings = {
  grpcListen: withDefault("127.0.0.1:50051", {
    variable: "GRPC_LISTEN",
    meaning: "where gRPC listens: payments, inspection, health, reflection",
    parser: listenAddress,
  }),
  httpListen: withDefault("127.0.0.1:8080", {
    variable: "HTTP_LISTEN",
    meaning: "where HTTP listens: Connect, gRPC-Web and JSON, the console, /metrics, /healthz",
    parser: listenAddress,
  }),
  httpAllowedHosts: optional("localhost, 127.0.0.1, [::1] and the host of HTTP_LISTEN", {
    variable: "HTTP_ALLOWED_HOSTS",
    meaning: "more hosts that HTTP answers to, in Host and Origin",
    parser: hostNames,
  }),
  databaseUrl: optional("a Postgres of its own under DATA_DIR", {
    variable: "DATABASE_URL",
    meaning: "Postgres 15 or later, the store of record",
    parser: postgresUrl,
  }),
  redisUrls: optional(
    "three nodes of its own if redis-server or valkey-server is on the PATH, else a gate inside the process",
    {
      variable: "REDIS_URLS",
      meaning: "independent Redis nodes",
      parser: redisUrls,
    },
  ),
  processorUrl: optional("a sandbox processor, started beside the service", {
    variable: "PROCESSOR_URL",
    meaning: "the processor; instant: approves within the process, for benchmarks",
    parser: processorTarget,
  }),
  processorTimeoutMs: withDefault("10s", {
    variable: "PROCESSOR_TIMEOUT_MS",
    meaning: "how long one call to the processor may take",
    parser: duration("1ms", LONGEST_TIMER),
  }),
  processorKeyWindowMs: withDefault("24h", {
    variable: "PROCESSOR_KEY_WINDOW_MS",
    meaning: "how long the processor remembers a key; past it nothing is sent again",
    parser: duration("1ms", LONGEST_RETENTION),
  }),
  shutdownTimeoutMs: withDefault("30s", {
    variable: "SHUTDOWN_TIMEOUT_MS",
    meaning: "how long a stop may take; what is left then is left to recovery elsewhere",
    // Within less, nothing under way could end, and no server of its own.
    parser: duration("1s", LONGEST_TIMER),
  }),
  dataDir: withDefault(".payonce", {
    variable: "DATA_DIR",
    meaning: "where embedded data is kept",
    parser: path("directory"),
  }),
  idempotencyLeaseMs: withDefault("15s", {
    variable: "IDEMPOTENCY_LEASE_MS",
    meaning:
      "how long a claim lives without its owner's heartbeat; a Redis lock lives a third of it",
    // The lock must be extended within that third; below a second of lease any
    // pause of the process would lose it.
    parser: duration("1s", LONGEST_TIMER),
  }),
  idempotencyMaxExecutionMs: withDefault("60s", {
    variable: "IDEMPOTENCY_MAX_EXECUTION_MS",
    meaning: "how long heartbeats may extend one attempt; at least IDEMPOTENCY_LEASE_MS",
    parser: duration("1s", LONGEST_TIMER),
  }),
  idempotencyRetentionMs: withDefault("30d", {
    variable: "IDEMPOTENCY_RETENTION_MS",
    meaning: "how long an answer can be replayed",
    parser: duration("1ms", LONGEST_RETENTION),
  }),
  responseCacheTtlMs: withDefault("1h", {
    variable: "RESPONSE_CACHE_TTL_MS",
    meaning:
      "how long a copy of an answer lives in Redis or a process; far below PROCESSOR_KEY_WINDOW_MS",
    parser: duration("1ms", LONGEST_RETENTION),
  }),
  responseCacheMemoryMib: withDefault("32", {
    variable: "RESPONSE_CACHE_MEMORY_MIB",
    meaning: "what answers kept in the process itself may take together; 0 keeps none",
    parser: mebibytes(0, 4_096),
  }),
  responseCacheSecret: optional("a plain checksum", {
    variable: "RESPONSE_CACHE_SECRET",
    meaning:
      "makes copies in Redis carry an HMAC; safer as a variable than as a flag, which others can see",
    parser: secret,
  }),
  recoveryIntervalMs: withDefault("1s", {
    variable: "RECOVERY_INTERVAL_MS",
    meaning: "how often a process looks for claims past their lease",
    parser: duration("1ms", LONGEST_TIMER),
  }),
  tlsCertFile: optional("no TLS", {
    variable: "TLS_CERT_FILE",
    meaning: "the server's certificate chain (PEM); needs TLS_KEY_FILE",
    parser: path("file"),
  }),
  tlsKeyFile: optional("no TLS", {
    variable: "TLS_KEY_FILE",
    meaning: "the private key of TLS_CERT_FILE (PEM)",
    parser: path("file"),
  }),
  tlsClientCaFile: optional("no client certificates", {
    variable: "TLS_CLIENT_CA_FILE",
    meaning: "who signs client certificates (PEM): common name is the tenant, OU the role",
    parser: path("file"),
  }),
  authTokensFile: optional("no bearer tokens", {
    variable: "AUTH_TOKENS_FILE",
    meaning: "bearer tokens (JSON): their SHA-256, tenant and role",
    parser: path("file"),
  }),
  maxConnections: withDefault("10000", {
    variable: "MAX_CONNECTIONS",
    meaning: "how many connections each port keeps open; more are closed at once",
    parser: count(1, 1_000_000),
  }),
  maxConnectionsPerPeer: withDefault("1000", {
    variable: "MAX_CONNECTIONS_PER_PEER",
    meaning: "the same from one address, such as that of a balancer",
    parser: count(1, 1_000_000),
  }),
  maxStreamsPerConnection: withDefault("1000", {
    variable: "MAX_STREAMS_PER_CONNECTION",
    meaning: "how many gRPC calls may be under way on one connection; clients wait with more",
    parser: count(1, 1_000_000),
  }),
  requestTimeoutMs: withDefault("30s", {
    variable: "REQUEST_TIMEOUT_MS",
    meaning:
      "how long a request may take to be complete, and twice that a new connection to begin one",
    parser: duration("100ms", LONGEST_TIMER),
  }),
  logLevel: withDefault("info", {
    variable: "LOG_LEVEL",
    meaning: "the least severe log line that is written",
    parser: oneOf(["debug", "info", "warn", "error", "silent"]),
  }),
  sandboxListen: withDefault("127.0.0.1:50061", {
    variable: "SANDBOX_LISTEN",
    meaning: "where the sandbox processor listens",
    parser: listenAddress,
  }),
  sandboxTokenFile: optional("anybody on loopback, nobody beyond it", {
    variable: "SANDBOX_TOKEN_FILE",
    meaning: "the bearer token that the sandbox processor's faults take, one line",
    parser: path("file"),
  }),
};

/** Flags that are no settings: an operator types them each time, no environment carries them on. */
export const INSECURE_FLAG = "insecure";
export const INSECURE_OPERATOR_FLAG = "insecure-operator";

export type SettingName = keyof typeof settings;

/** The values of all settings. Durations are in milliseconds. */
export type Settings = {
  readonly [Name in SettingName]: (typeof settings)[Name]["otherwise"]["value"];
};

/** What holds after environment, flags and defaults. */
export type Config = Settings & {
  /** Lets a server listen beyond loopback without TLS and authentication. */
  readonly insecure: boolean;
  /** Makes everybody an operator where nobody is authenticated. */
  readonly insecureOperator: boolean;
  /** A line about each name of the environment that resembles a setting which is not given. */
  readonly misspelled: readonly string[];
  /** Where programs are looked for; the PATH of the environment. */
  readonly searchPath: string;
};

/** The names of all settings in the order of the table. */
export const settingNames = Object.keys(settings).filter(isSettingName);

function isSettingName(name: string): name is SettingName {
  return name in settings;
}

/** The flag of a variable, without the dashes before it. */
export function flagOf(variable: string): string {
  return variable.toLowerCase().replaceAll("_", "-");
}
