import { sandboxProfileNames } from "../../payments/processors/sandbox-traits.js";
import { namesIn, optional, toggle, type Values, withDefault } from "./flags.js";
import {
  apiBase,
  count,
  duration,
  hostNames,
  httpUrl,
  listenAddress,
  mebibytes,
  oneOf,
  path,
  postgresUrl,
  processorTarget,
  redisUrls,
  schemaName,
  secret,
  stripeKey,
  stripeWebhookSecret,
  webPage,
} from "./schemas.js";

// A little less than 2^31 - 1 ms; past that, Node's timers fire at once.
const LONGEST_TIMER = "24d";

// Longer than any duty to keep books, and within the dates that Postgres knows.
const LONGEST_RETENTION = "36500d";

/**
 * The schema of all settings, by their names in `Config`. Variables, flags, the
 * help and the table of docs/operations.md follow from it.
 */
export const settings = {
  grpcListen: withDefault("127.0.0.1:50051", {
    meaning: "where gRPC listens: payments, inspection, health, reflection",
    schema: listenAddress,
  }),
  httpListen: withDefault("127.0.0.1:8080", {
    meaning: "where HTTP listens: Connect, gRPC-Web and JSON, /metrics, /healthz",
    schema: listenAddress,
  }),
  httpAllowedHosts: optional("localhost, 127.0.0.1, [::1] and the host of HTTP_LISTEN", {
    meaning: "more hosts that HTTP answers to, in Host and Origin",
    schema: hostNames,
  }),
  databaseUrl: optional("a Postgres of its own under DATA_DIR", {
    meaning: "Postgres 15 or later, the store of record",
    schema: postgresUrl,
  }),
  databaseSchema: optional(
    "the one that has the tables, else the first of the role's search_path",
    {
      meaning: "the schema of the tables, made if it is missing",
      schema: schemaName,
    },
  ),
  databaseWaitMs: withDefault("30s", {
    meaning: "how long a start waits: for the database, and for another's migration of it",
    schema: duration("0ms", LONGEST_TIMER),
  }),
  databaseWriteConnections: withDefault("10", {
    meaning: "how many connections to Postgres claims have, and as many those that own one",
    schema: count(1, 1_000),
  }),
  databaseReadConnections: withDefault("4", {
    meaning: "how many connections to Postgres reads and lists have",
    schema: count(1, 1_000),
  }),
  databaseStreamConnections: withDefault("2", {
    meaning: "how many connections to Postgres streams of events have",
    schema: count(1, 1_000),
  }),
  databaseInspectionConnections: withDefault("2", {
    meaning: "how many connections to Postgres operators have, for keys and for what they did",
    schema: count(1, 1_000),
  }),
  databaseReadTimeoutMs: withDefault("5s", {
    meaning: "how long a statement of a read, a list or a stream may take",
    // The longest that a statement of a payment may take.
    schema: duration("100ms", "10s"),
  }),
  redisUrls: optional(
    "three nodes of its own if redis-server or valkey-server is on the PATH, else a gate inside the process",
    {
      meaning: "independent Redis nodes",
      schema: redisUrls,
    },
  ),
  redisLocks: withDefault("batched", {
    meaning: "whose locks: batched (a quorum of its own) or redlock (the package)",
    schema: oneOf(["batched", "redlock"]),
  }),
  processorUrl: optional("a sandbox processor, started beside the service", {
    meaning:
      "the processor; stripe: charges through Stripe, instant: approves within the process, for benchmarks",
    schema: processorTarget,
  }),
  processorTimeoutMs: withDefault("10s", {
    meaning: "how long one call to the processor may take",
    schema: duration("1ms", LONGEST_TIMER),
  }),
  processorKeyWindowMs: optional("what the processor's adapter says: 24 h for most", {
    meaning: "how long the processor remembers a key; past it nothing is sent again",
    schema: duration("1ms", LONGEST_RETENTION),
  }),
  paymentActionTimeoutMs: withDefault("1h", {
    meaning: "how long a payment waits for a customer who has to act, as for 3-D Secure",
    schema: duration("1s", LONGEST_RETENTION),
  }),
  stripeSecretKey: optional("STRIPE_SECRET_KEY_FILE", {
    meaning:
      "the key for PROCESSOR_URL=stripe:; safer as a file or a variable than as a flag, which others can see",
    schema: stripeKey,
  }),
  stripeSecretKeyFile: optional("STRIPE_SECRET_KEY", {
    meaning: "holds that key, one line",
    schema: path("file"),
  }),
  stripeWebhookSecret: optional("webhooks of Stripe's are not taken", {
    meaning: "what Stripe signs the webhooks with that it sends to /webhooks/stripe: whsec_...",
    schema: stripeWebhookSecret,
  }),
  stripeApiBase: withDefault("https://api.stripe.com", {
    meaning: "where Stripe's API is; the sandbox speaks its form at SANDBOX_STRIPE_LISTEN",
    schema: apiBase,
  }),
  stripeReturnUrl: optional("no page: Stripe's library on the customer's side has to be used", {
    meaning: "where a customer comes back to who had to agree on a bank's page, as for 3-D Secure",
    schema: webPage,
  }),
  stripeMulticapture: withDefault("off", {
    meaning: "on: the account captures one card authorization in parts; off: one capture ends it",
    schema: oneOf(["on", "off"]),
  }),
  shutdownTimeoutMs: withDefault("30s", {
    meaning: "how long a stop may take; what is left then is left to recovery elsewhere",
    // Within less, nothing under way could end, and no server of its own.
    schema: duration("1s", LONGEST_TIMER),
  }),
  dataDir: withDefault(".payonce", {
    meaning: "where embedded data is kept",
    schema: path("directory"),
  }),
  idempotencyLeaseMs: withDefault("15s", {
    meaning:
      "how long a claim lives without its owner's heartbeat; a Redis lock lives a third of it",
    // The lock must be extended within that third; below a second of lease any
    // pause of the process would lose it.
    schema: duration("1s", LONGEST_TIMER),
  }),
  idempotencyMaxExecutionMs: withDefault("60s", {
    meaning: "how long heartbeats may extend one attempt; at least IDEMPOTENCY_LEASE_MS",
    schema: duration("1s", LONGEST_TIMER),
  }),
  idempotencyRetentionMs: withDefault("30d", {
    meaning: "how long an answer can be replayed",
    schema: duration("1ms", LONGEST_RETENTION),
  }),
  responseCacheTtlMs: withDefault("1h", {
    meaning:
      "how long a copy of an answer lives in Redis or a process; far below PROCESSOR_KEY_WINDOW_MS",
    schema: duration("1ms", LONGEST_RETENTION),
  }),
  responseCacheMemoryMib: withDefault("32", {
    meaning: "what answers kept in the process itself may take together; 0 keeps none",
    schema: mebibytes(0, 4_096),
  }),
  responseCacheSecret: optional("a plain checksum", {
    meaning:
      "makes copies in Redis carry an HMAC; safer as a variable than as a flag, which others can see",
    schema: secret,
  }),
  recoveryIntervalMs: withDefault("1s", {
    meaning: "how often a process looks for claims past their lease",
    schema: duration("1ms", LONGEST_TIMER),
  }),
  tlsCertFile: optional("no TLS", {
    meaning: "the server's certificate chain (PEM); needs TLS_KEY_FILE",
    schema: path("file"),
  }),
  tlsKeyFile: optional("no TLS", {
    meaning: "the private key of TLS_CERT_FILE (PEM)",
    schema: path("file"),
  }),
  tlsClientCaFile: optional("no client certificates", {
    meaning: "who signs client certificates (PEM): common name is the tenant, OU the role",
    schema: path("file"),
  }),
  authTokensFile: optional("no bearer tokens", {
    meaning: "bearer tokens (JSON): their SHA-256, tenant and role",
    schema: path("file"),
  }),
  maxConnections: withDefault("10000", {
    meaning: "how many connections each port keeps open; more are closed at once",
    schema: count(1, 1_000_000),
  }),
  maxConnectionsPerPeer: withDefault("1000", {
    meaning: "the same from one address, such as that of a balancer",
    schema: count(1, 1_000_000),
  }),
  maxStreamsPerConnection: withDefault("1000", {
    meaning: "how many gRPC calls may be under way on one connection; clients wait with more",
    schema: count(1, 1_000_000),
  }),
  requestTimeoutMs: withDefault("30s", {
    meaning:
      "how long a request may take to be complete, and twice that a new connection to begin one",
    schema: duration("100ms", LONGEST_TIMER),
  }),
  webhooksFile: optional("no webhooks", {
    meaning: "who is told of events (JSON): tenant, URL and secret of each endpoint",
    schema: path("file"),
  }),
  webhooksAllowPrivate: withDefault("no", {
    meaning: "whether endpoints may have private addresses, and http on loopback",
    schema: oneOf(["no", "yes"]),
  }),
  logLevel: withDefault("info", {
    meaning: "the least severe log line that is written",
    schema: oneOf(["debug", "info", "warn", "error", "silent"]),
  }),
  sandboxListen: withDefault("127.0.0.1:50061", {
    meaning: "where the sandbox processor listens",
    schema: listenAddress,
  }),
  sandboxTokenFile: optional("anybody on loopback, nobody beyond it", {
    meaning: "the bearer token that the sandbox processor's faults take, one line",
    schema: path("file"),
  }),
  sandboxProfile: optional("none", {
    meaning:
      "the acquirer whose habits the sandbox processor has; docs/write-a-processor.md has them",
    schema: oneOf(sandboxProfileNames),
  }),
  sandboxStripeListen: optional("off", {
    meaning: "where the sandbox processor speaks Stripe's wire form",
    schema: listenAddress,
  }),
  sandboxStripeSearchLagMs: withDefault("0ms", {
    meaning: "how long its searches miss a new PaymentIntent, as Stripe's do",
    schema: duration("0ms", "24h"),
  }),
  sandboxStripeMulticapture: withDefault("off", {
    meaning: "on: a PaymentIntent may be captured several times; off: a capture ends it",
    schema: oneOf(["on", "off"]),
  }),
  sandboxStripeWebhookUrl: optional("nowhere", {
    meaning: "where it sends events to; needs SANDBOX_STRIPE_WEBHOOK_SECRET",
    schema: httpUrl,
  }),
  sandboxStripeWebhookSecret: optional("no events", {
    meaning: "what signs those events, as Stripe does",
    schema: secret,
  }),
};

/** Flags that are no settings: an operator types them each time, no environment carries them on. */
export const insecureFlags = {
  insecure: toggle("lets a server listen beyond loopback without TLS and authentication"),
  insecureOperator: toggle(
    "makes everybody an operator; only on loopback and without authentication",
  ),
};

export type SettingName = keyof typeof settings;

/** The values of all settings. Durations are in milliseconds. */
export type Settings = Values<typeof settings>;

/** The settings as they are after environment, flags and defaults. */
export type Config = Settings & {
  /** Lets a server listen beyond loopback without TLS and authentication. */
  readonly insecure: boolean;
  /** Makes everybody an operator where nobody is authenticated. */
  readonly insecureOperator: boolean;
  /** A line about each name of the environment that resembles a setting which is not given. */
  readonly misspelled: readonly string[];
  /** The folders in which programs are looked for: the PATH of the environment. */
  readonly searchPath: string;
};

/** The names of all settings in the order of the table. */
export const settingNames = namesIn(settings);

/** The variable of the environment that gives a setting: GRPC_LISTEN gives `grpcListen`. */
export function variableOf(name: string): string {
  return name.replace(/[A-Z]/g, "_$&").toUpperCase();
}
