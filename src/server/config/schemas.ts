import * as v from "valibot";
import { type Address, formatAddress, isLoopback, parseAddress } from "./address.js";

/** Turns the text of a setting or of a flag into its value. Its description continues "accepts ...". */
export type SettingSchema<Value = unknown> = v.GenericSchema<string, Value>;

/** A schema with words for what it accepts, which stand for all of its own messages. */
function accepting<Value>(accepts: string, schema: SettingSchema<Value>): SettingSchema<Value> {
  return v.pipe(schema, v.description(accepts));
}

/** A schema by a function that answers `undefined` to what is not accepted. */
function parsedBy<Value>(parse: (text: string) => Value | undefined): SettingSchema<Value> {
  return v.pipe(
    v.string(),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      const value = parse(dataset.value);
      if (value !== undefined) {
        return value;
      }
      addIssue();
      return NEVER;
    }),
  );
}

const unitsMs: ReadonlyMap<string, number> = new Map([
  ["ms", 1],
  ["s", 1_000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
]);

const DURATION = /^(?<count>\d+)(?<unit>[a-z]*)$/;

function durationMs(text: string): number {
  const { count, unit } = DURATION.exec(text)?.groups ?? {};
  return Number(count) * (unitsMs.get(unit || "ms") ?? Number.NaN);
}

function within(from: number, to: number, toNumber: (text: string) => number) {
  return v.pipe(
    v.string(),
    v.transform(toNumber),
    v.number(), // NaN is none
    v.minValue(from),
    v.maxValue(to),
  );
}

/** A duration within bounds that are written as a user would write them. In milliseconds. */
export function duration(from: string, to: string): SettingSchema<number> {
  return accepting(
    `a duration from ${from} to ${to}, in milliseconds or with a unit (ms, s, m, h, d)`,
    within(durationMs(from), durationMs(to), durationMs),
  );
}

/** An amount of memory. In MiB. */
export function mebibytes(from: number, to: number): SettingSchema<number> {
  return wholeNumber("a whole number of MiB", from, to);
}

export function count(from: number, to: number): SettingSchema<number> {
  return wholeNumber("a whole number", from, to);
}

function wholeNumber(what: string, from: number, to: number): SettingSchema<number> {
  const toNumber = (text: string) => (/^\d+$/.test(text) ? Number(text) : Number.NaN);
  return accepting(`${what} from ${from} to ${to}`, within(from, to, toNumber));
}

/** The address at which a server listens. */
export const listenAddress = accepting(
  "host:port, such as 127.0.0.1:50051 or [::1]:50051; port 0 picks a free one",
  parsedBy(parseAddress),
);

/** The processor that is asked. */
export type ProcessorTarget =
  | { readonly kind: "remote"; readonly address: Address }
  /** Approves within this process, at once. */
  | { readonly kind: "instant" }
  | { readonly kind: "stripe" };

export const processorTarget = accepting(
  "host:port, grpc://host:port, stripe:, or instant:",
  parsedBy<ProcessorTarget>((text) => {
    if (text === "instant:" || text === "stripe:") {
      return { kind: text === "stripe:" ? "stripe" : "instant" };
    }
    const address = parseAddress(text.replace(/^grpc:\/\//, ""));
    return address === undefined || address.port === 0 ? undefined : { kind: "remote", address };
  }),
);

export const httpUrl = accepting(
  "an http:// or https:// URL",
  v.pipe(v.string(), v.url(), v.regex(/^https?:/)),
);

/** The URL of a database, as it was given. */
export const postgresUrl = accepting(
  "a URL such as postgres://user:password@host:5432/database, of one host",
  v.pipe(v.string(), v.check(isPostgresUrl)),
);

function isPostgresUrl(text: string): boolean {
  // A "#" comes from a password that was not percent-encoded. The host of a
  // socket is a parameter; URL knows no user without a host.
  const url = text.replace("@/", "@socket/");
  if (!/^postgres(ql)?:\/\/[^#]+$/.test(text) || !URL.canParse(url)) {
    return false;
  }
  const { hostname, searchParams } = new URL(url);
  // The driver knows one host, and would leave the choice among several out without a word.
  const hosts = [hostname, ...searchParams.getAll("host")];
  return !hosts.some((host) => host.includes(",")) && !searchParams.has("target_session_attrs");
}

/** The name of a schema, which nobody has to quote. */
export const schemaName = accepting(
  "a name of at most 63 lower-case letters, digits and _, which does not begin with a digit or pg_",
  v.pipe(v.string(), v.regex(/^(?!pg_)[a-z_][a-z0-9_]{0,62}$/)),
);

const REDIS_PORT = "6379";

/** The URLs of independent Redis nodes. */
export const redisUrls = accepting(
  // One more node than an odd count survives no more failures.
  "an odd number of different nodes with commas between them, each host:port, redis://... or rediss://...; localhost and 127.0.0.1 are one",
  v.pipe(
    commaSeparated(redisNode),
    v.check((nodes) => nodes.length % 2 === 1),
    v.check((nodes) => new Set(nodes.map(({ server }) => server)).size === nodes.length),
    v.transform((nodes): readonly string[] => nodes.map(({ url }) => url)),
  ),
);

/** Names that a server answers to, in lower case; an IPv6 address without brackets. */
export const hostNames = accepting(
  "host names or addresses with commas between them, without scheme and port",
  commaSeparated((text) => parseAddress(`${text}:0`)?.host.toLowerCase()),
);

function commaSeparated<Item>(parse: (text: string) => Item | undefined) {
  return parsedBy((text): readonly Item[] | undefined => {
    const items = text.split(",").map((part) => parse(part.trim()));
    const accepted = items.filter((item) => item !== undefined);
    return accepted.length === items.length ? accepted : undefined;
  });
}

// The databases of one server count as one node: they fail together.
function redisNode(text: string): { readonly url: string; readonly server: string } | undefined {
  const url = text.includes("://") ? text : `redis://${text}`;
  if (!/^rediss?:/.test(url) || !URL.canParse(url)) {
    return undefined;
  }
  const { hostname, port, pathname, search, hash } = new URL(url);
  const address = parseAddress(`${hostname.toLowerCase()}:${port || REDIS_PORT}`);
  const isPlain = /^(\/\d*)?$/.test(pathname) && search === "" && hash === "";
  return address === undefined || address.port === 0 || !isPlain
    ? undefined
    : { url, server: formatAddress({ ...address, host: oneName(address.host) }) };
}

/** Names of this machine's own address. Other addresses of 127.0.0.0/8 may have servers of their own. */
const OWN_NAMES: ReadonlySet<string> = new Set([
  "localhost",
  "127.0.0.1",
  "::1",
  "::ffff:7f00:1", // 127.0.0.1 as URL writes it in IPv6
]);

function oneName(host: string): string {
  return OWN_NAMES.has(host) ? "localhost" : host;
}

/** The path of a file or a directory. */
export function path(what: "file" | "directory"): SettingSchema<string> {
  return accepting(`the path of a ${what}`, v.pipe(v.string(), v.nonEmpty(), v.excludes("\0")));
}

// RFC 2104, section 3: a key shorter than the hash's output weakens the HMAC.
const SECRET_BYTES = 32;

export const secret = accepting(
  `at least ${SECRET_BYTES} bytes that nobody can guess`,
  v.pipe(v.string(), v.minBytes(SECRET_BYTES)),
);

const ISO_TIME = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?$/;

/** A moment: a date is its first one, in UTC. */
export const time = accepting(
  "a date such as 2026-11-01 (UTC), or a time such as 2026-11-01T09:30:00Z",
  parsedBy((text) => {
    const moment = new Date(text);
    return ISO_TIME.test(text) && !Number.isNaN(moment.getTime()) ? moment : undefined;
  }),
);

const STRIPE_KEY = /^[rs]k_(test|live)_\w+$/;

/** A key of Stripe's that is not to be shown to anybody; the one that browsers have begins with pk_. */
export const stripeKey = accepting(
  "a secret or restricted key of Stripe's: sk_test_..., sk_live_..., rk_test_... or rk_live_...",
  v.pipe(v.string(), v.regex(STRIPE_KEY)),
);

export const stripeWebhookSecret = accepting(
  "the signing secret of a webhook endpoint: whsec_...",
  v.pipe(v.string(), v.regex(/^whsec_\w+$/)),
);

/** The base of an HTTP API: a scheme, a host and a port. */
export const apiBase = accepting(
  "a URL such as https://api.stripe.com, without a path; http:// on loopback only",
  parsedBy((text) => {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    const isBase =
      url !== undefined &&
      `${url.pathname}${url.search}${url.hash}${url.username}${url.password}` === "/";
    return isBase && isSafe(url) ? url : undefined;
  }),
);

/** The URL of a page that customers are sent to. */
export const webPage = accepting(
  "a URL such as https://shop.example/paid; http:// on loopback only",
  parsedBy((text) => {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    return url !== undefined && isSafe(url) ? url : undefined;
  }),
);

function isSafe({ protocol, hostname }: URL): boolean {
  return (
    protocol === "https:" || (protocol === "http:" && isLoopback(hostname.replace(/^\[|\]$/g, "")))
  );
}

const EVENT_ID = /^(?<number>\d{1,18})(-[0-9a-f]{16})?$/;

/** The number of an event of payments. */
export const eventId = accepting(
  "the number of an event such as 17, or its id such as 17-0123456789abcdef",
  parsedBy((text) => {
    const number = EVENT_ID.exec(text)?.groups?.number;
    return number === undefined ? undefined : BigInt(number);
  }),
);

/** One of a few words. */
export function oneOf<const Word extends string>(words: readonly Word[]): SettingSchema<Word> {
  const schema = v.pipe(v.string(), v.picklist(words), v.metadata({ choices: words }));
  return accepting(words.join(", "), schema);
}

/** Any text. */
export const anyText: SettingSchema<string> = v.string();

/** Makes the schema of another server's address, which is kept as it was given. */
export function serverAddress(example: string): SettingSchema<string> {
  return accepting(`host:port, such as ${example}`, v.pipe(v.string(), v.check(isAddress)));
}

/** The addresses of several servers, each as it was given. */
export const serverAddresses: SettingSchema<readonly string[]> = accepting(
  "host:port, several with commas between them",
  v.pipe(
    v.string(),
    v.transform((text): readonly string[] => text.split(",")),
    v.everyItem(isAddress),
  ),
);

function isAddress(text: string): boolean {
  return parseAddress(text) !== undefined;
}
