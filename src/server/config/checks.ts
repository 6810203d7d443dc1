import { DEFAULT_WINDOW_MS, sendableMs } from "../../payments/key-window.js";
import { isLoopback } from "./address.js";
import type { Config, SettingName } from "./settings.js";

/** A rule about several settings at once. */
interface Check {
  /** The setting, or the flag, that a violation is reported under. */
  readonly subject: SettingName | "insecureOperator";
  /** The rule is asked only where all of these were accepted. */
  readonly reads: readonly SettingName[];
  readonly holds: (config: Config) => boolean;
  /** Continues "accepts ...". */
  readonly accepts: string;
}

function guarded(subject: "grpcListen" | "httpListen"): Check {
  return {
    subject,
    reads: [subject, "tlsCertFile", "authTokensFile", "tlsClientCaFile"],
    holds: (config) =>
      config.insecure ||
      isLoopback(config[subject].host) ||
      // Its key is asked for by a rule of its own.
      (config.tlsCertFile !== undefined &&
        (config.authTokensFile !== undefined || config.tlsClientCaFile !== undefined)),
    accepts:
      "only a loopback address without TLS (TLS_CERT_FILE, TLS_KEY_FILE) and authentication (AUTH_TOKENS_FILE or TLS_CLIENT_CA_FILE); --insecure lifts this",
  };
}

const checks: readonly Check[] = [
  {
    subject: "tlsCertFile",
    reads: ["tlsCertFile", "tlsKeyFile"],
    holds: ({ tlsCertFile, tlsKeyFile }) => tlsCertFile === undefined || tlsKeyFile !== undefined,
    accepts: "a file only together with TLS_KEY_FILE",
  },
  {
    subject: "tlsKeyFile",
    reads: ["tlsKeyFile", "tlsCertFile"],
    holds: ({ tlsCertFile, tlsKeyFile }) => tlsKeyFile === undefined || tlsCertFile !== undefined,
    accepts: "a file only together with TLS_CERT_FILE",
  },
  {
    subject: "tlsClientCaFile",
    reads: ["tlsClientCaFile", "tlsCertFile", "tlsKeyFile"],
    holds: ({ tlsClientCaFile, tlsCertFile, tlsKeyFile }) =>
      tlsClientCaFile === undefined || (tlsCertFile !== undefined && tlsKeyFile !== undefined),
    accepts: "a file only together with TLS_CERT_FILE and TLS_KEY_FILE",
  },
  {
    subject: "processorUrl",
    reads: ["processorUrl", "stripeSecretKey", "stripeSecretKeyFile"],
    holds: ({ processorUrl, stripeSecretKey, stripeSecretKeyFile }) =>
      processorUrl?.kind !== "stripe" ||
      stripeSecretKey !== undefined ||
      stripeSecretKeyFile !== undefined,
    accepts: "stripe: only together with STRIPE_SECRET_KEY or STRIPE_SECRET_KEY_FILE",
  },
  {
    // Which of two keys counts, nobody would remember.
    subject: "stripeSecretKeyFile",
    reads: ["stripeSecretKey", "stripeSecretKeyFile"],
    holds: ({ stripeSecretKey, stripeSecretKeyFile }) =>
      stripeSecretKey === undefined || stripeSecretKeyFile === undefined,
    accepts: "a file only without STRIPE_SECRET_KEY",
  },
  {
    // Stripe has no certificate of ours.
    subject: "stripeWebhookSecret",
    reads: ["stripeWebhookSecret", "tlsClientCaFile", "authTokensFile"],
    holds: ({ stripeWebhookSecret, tlsClientCaFile, authTokensFile }) =>
      stripeWebhookSecret === undefined ||
      tlsClientCaFile === undefined ||
      authTokensFile !== undefined,
    accepts:
      "a secret together with TLS_CLIENT_CA_FILE only where AUTH_TOKENS_FILE lets callers connect without a certificate",
  },
  guarded("grpcListen"),
  guarded("httpListen"),
  {
    // It has neither TLS nor authentication.
    subject: "sandboxListen",
    reads: ["sandboxListen"],
    holds: ({ insecure, sandboxListen }) => insecure || isLoopback(sandboxListen.host),
    accepts: "only a loopback address; --insecure lifts this",
  },
  {
    // No TLS, and any key for tests will do.
    subject: "sandboxStripeListen",
    reads: ["sandboxStripeListen"],
    holds: ({ insecure, sandboxStripeListen }) =>
      insecure || sandboxStripeListen === undefined || isLoopback(sandboxStripeListen.host),
    accepts: "only a loopback address; --insecure lifts this",
  },
  {
    subject: "sandboxStripeWebhookUrl",
    reads: ["sandboxStripeWebhookUrl", "sandboxStripeWebhookSecret", "sandboxStripeListen"],
    holds: ({ sandboxStripeWebhookUrl, sandboxStripeWebhookSecret, sandboxStripeListen }) =>
      sandboxStripeWebhookUrl === undefined ||
      (sandboxStripeWebhookSecret !== undefined && sandboxStripeListen !== undefined),
    accepts: "a URL only together with SANDBOX_STRIPE_WEBHOOK_SECRET and SANDBOX_STRIPE_LISTEN",
  },
  {
    // Whoever can reach the service could end any key. With authentication the
    // flag would say nothing: everybody has the role of a token or a certificate.
    subject: "insecureOperator",
    reads: ["grpcListen", "httpListen", "authTokensFile", "tlsClientCaFile"],
    holds: ({ insecureOperator, grpcListen, httpListen, authTokensFile, tlsClientCaFile }) =>
      !insecureOperator ||
      (isLoopback(grpcListen.host) &&
        isLoopback(httpListen.host) &&
        authTokensFile === undefined &&
        tlsClientCaFile === undefined),
    accepts:
      "only a service on loopback (GRPC_LISTEN, HTTP_LISTEN) without authentication (AUTH_TOKENS_FILE, TLS_CLIENT_CA_FILE)",
  },
  {
    // An attempt that may not last as long as its first lease is never extended.
    subject: "idempotencyMaxExecutionMs",
    reads: ["idempotencyMaxExecutionMs", "idempotencyLeaseMs"],
    holds: (config) => config.idempotencyMaxExecutionMs >= config.idempotencyLeaseMs,
    accepts: "at least the duration of IDEMPOTENCY_LEASE_MS",
  },
  {
    // Otherwise every slow processor would end attempts that were about to know their outcome.
    subject: "processorTimeoutMs",
    reads: ["processorTimeoutMs", "idempotencyMaxExecutionMs"],
    holds: (config) => config.processorTimeoutMs < config.idempotencyMaxExecutionMs,
    accepts: "less than the duration of IDEMPOTENCY_MAX_EXECUTION_MS",
  },
  {
    // Otherwise nothing could ever be sent.
    subject: "processorKeyWindowMs",
    reads: ["processorKeyWindowMs", "processorTimeoutMs"],
    holds: ({ processorKeyWindowMs: windowMs, processorTimeoutMs: longestCallMs }) =>
      windowMs === undefined || sendableMs({ windowMs, longestCallMs }) > 0,
    accepts: "more than the duration of PROCESSOR_TIMEOUT_MS and a margin of 2 % for clocks",
  },
];

/** The rules that are broken, apart from those that read a refused setting. */
export function brokenChecks(
  config: Config,
  refused: ReadonlySet<SettingName>,
): readonly Pick<Check, "subject" | "accepts">[] {
  return checks.filter(
    ({ reads, holds }) => reads.every((name) => !refused.has(name)) && !holds(config),
  );
}

/**
 * The part of the processor's window that copies may live at most. A copy of an
 * answer that a restore has lost, believed in spite of all, hides that the call
 * must be made again; most of the window has to be left for that once it is
 * gone. Past the window the processor would take the call for a new one.
 */
const COPIES_PER_KEY_WINDOW = 12;

/** Warnings of what the configuration permits and an operator should know of, one line each. */
export function configWarnings({
  responseCacheTtlMs,
  processorKeyWindowMs = DEFAULT_WINDOW_MS,
  processorUrl,
  stripeSecretKey,
  stripeSecretKeyFile,
  misspelled,
}: Config): readonly string[] {
  const longestMs = processorKeyWindowMs / COPIES_PER_KEY_WINDOW;
  const hasKey = stripeSecretKey !== undefined || stripeSecretKeyFile !== undefined;
  const warnings =
    hasKey && processorUrl?.kind !== "stripe"
      ? [
          ...misspelled,
          "STRIPE_SECRET_KEY is given, and PROCESSOR_URL is not stripe: no card is charged through Stripe",
        ]
      : misspelled;
  return responseCacheTtlMs > longestMs
    ? [
        ...warnings,
        `RESPONSE_CACHE_TTL_MS should be at most ${Math.floor(longestMs)} ms, a twelfth of PROCESSOR_KEY_WINDOW_MS: a copy that a restore has made wrong must be gone long before the processor forgets its keys`,
      ]
    : warnings;
}
