import { PaymentStatus } from "../gen/payonce/payments/v1/payments_pb.js";
import { addressOf, isAllowedAddress, isLoopbackAddress } from "../payments/webhooks/addresses.js";
import { endpointIdOf, type WebhookEndpoint } from "../payments/webhooks/endpoint.js";
import { isObject, isTenant, parseJson, TENANT_ACCEPTS } from "./tokens.js";

/** A file of endpoints that is wrong. Stops the start. */
export class WebhooksFileError extends Error {
  override readonly name = "WebhooksFileError";

  /** @param problems one line each, naming the entry and what it accepts. */
  constructor(readonly problems: readonly string[]) {
    super(problems.join("\n"));
  }
}

export interface WebhooksFileRules {
  readonly allowPrivate: boolean;
}

/** More wait for each other's turns in one process than is of use. */
const MAX_ENDPOINTS = 1_000;

/** Bytes of a secret, by the Standard Webhooks specification, "Signature scheme". */
const SECRET_BYTES = { least: 24, most: 64 };
const SECRET_PREFIX = "whsec_";

/** The one that is in use, and the one before or after it. */
const MAX_SECRETS = 2;

/** The states of payments, by their names in the file. */
const STATUSES: ReadonlyMap<unknown, PaymentStatus> = new Map(
  Object.entries(PaymentStatus).flatMap(([name, status]) =>
    typeof status === "number" && status !== PaymentStatus.UNSPECIFIED ? [[name, status]] : [],
  ),
);

/**
 * Reads the text of a file of endpoints: a JSON array of
 * `{ "tenant": "...", "url": "https://...", "secret": "whsec_...", "statuses": ["CAPTURED"] }`.
 * A list of two secrets makes two signatures; without `statuses` all are told.
 * @throws WebhooksFileError that names every entry that is wrong, and repeats nothing of it.
 */
export function parseEndpoints(text: string, rules: WebhooksFileRules): readonly WebhookEndpoint[] {
  const entries = parseArray(text).map((entry) => parseEntry(entry, rules));
  const ids = new Set<string>();
  const endpoints: WebhookEndpoint[] = [];
  const problems: string[] = [];
  for (const [index, entry] of entries.entries()) {
    if (typeof entry === "string") {
      problems.push(`entry ${index}: ${entry}`);
    } else if (ids.has(entry.id)) {
      problems.push(`entry ${index}: "url" accepts none that an earlier entry of the tenant has`);
    } else {
      ids.add(entry.id);
      endpoints.push(entry);
    }
  }
  if (problems.length > 0) {
    throw new WebhooksFileError(problems);
  }
  return endpoints;
}

function parseArray(text: string): readonly unknown[] {
  const value = parseJson(text);
  if (!Array.isArray(value) || value.length === 0 || value.length > MAX_ENDPOINTS) {
    throw new WebhooksFileError([
      `the file accepts a JSON array of 1 to ${MAX_ENDPOINTS} endpoints`,
    ]);
  }
  return value;
}

/** The endpoint, or what is wrong with it. */
function parseEntry(entry: unknown, rules: WebhooksFileRules): WebhookEndpoint | string {
  if (!isObject(entry)) {
    return "accepts an object with tenant, url, secret and statuses";
  }
  const { tenant, url: urlText, secret, statuses: names, ...others } = entry;
  if (!isTenant(tenant)) {
    return `"tenant" accepts ${TENANT_ACCEPTS}`;
  }
  const url = parseUrl(urlText);
  if (url === undefined || !isPossible(url, rules)) {
    return `"url" accepts ${urlAccepts(rules)}`;
  }
  const secrets = Array.isArray(secret) ? secret : [secret];
  if (secrets.length === 0 || secrets.length > MAX_SECRETS || !secrets.every(isSecret)) {
    return `"secret" accepts ${SECRET_PREFIX} and the base64 of ${SECRET_BYTES.least} to ${SECRET_BYTES.most} bytes, or a list of two`;
  }
  const statuses = names === undefined ? undefined : parseStatuses(names);
  if (names !== undefined && statuses === undefined) {
    return `"statuses" accepts a list of ${[...STATUSES.keys()].join(", ")}`;
  }
  if (Object.keys(others).length > 0) {
    return "accepts no more than tenant, url, secret and statuses";
  }
  const id = endpointIdOf(tenant, url);
  return { tenant, id, url, secrets, ...(statuses === undefined ? {} : { statuses }) };
}

function urlAccepts({ allowPrivate }: WebhooksFileRules): string {
  const plain = "an https URL without user name, password and fragment";
  return allowPrivate
    ? `${plain}, or an http URL on loopback; no link-local address`
    : `${plain}, and no private address (WEBHOOKS_ALLOW_PRIVATE=yes allows that)`;
}

function parseUrl(text: unknown): URL | undefined {
  return typeof text === "string" && URL.canParse(text) ? new URL(text) : undefined;
}

/** Decides what can be known without asking for the host's address; that is looked at with each connection. */
function isPossible(url: URL, { allowPrivate }: WebhooksFileRules): boolean {
  const address = addressOf(url);
  const isPlainHttp = url.protocol === "http:";
  const isLoopback =
    address === undefined ? url.hostname === "localhost" : isLoopbackAddress(address);
  return (
    (url.protocol === "https:" || (isPlainHttp && allowPrivate && isLoopback)) &&
    url.username === "" &&
    url.password === "" &&
    url.hash === "" &&
    (address === undefined || isAllowedAddress(address, { allowPrivate }))
  );
}

function isSecret(value: unknown): value is string {
  if (typeof value !== "string" || !value.startsWith(SECRET_PREFIX)) {
    return false;
  }
  const encoded = value.slice(SECRET_PREFIX.length);
  const bytes = Buffer.from(encoded, "base64");
  return (
    bytes.toString("base64") === encoded &&
    bytes.length >= SECRET_BYTES.least &&
    bytes.length <= SECRET_BYTES.most
  );
}

function parseStatuses(names: unknown): ReadonlySet<PaymentStatus> | undefined {
  const statuses = Array.isArray(names) ? names.map((name) => STATUSES.get(name)) : [];
  const known = statuses.filter((status) => status !== undefined);
  return known.length === 0 || known.length < statuses.length ? undefined : new Set(known);
}
