import { type Address, formatAddress, parseAddress } from "./address.js";

/** Turns the text of a setting into its value, and says in words what it accepts. */
export interface Parser<Value> {
  /** Continues "accepts ...". */
  readonly accepts: string;
  /** `undefined` where the text is not accepted, as empty text never is. */
  readonly parse: (text: string) => Value | undefined;
}

const unitsMs: ReadonlyMap<string, number> = new Map([
  ["ms", 1],
  ["s", 1_000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
]);

const DURATION = /^(?<count>\d+)(?<unit>[a-z]*)$/;

function durationMs(text: string): number | undefined {
  const { count, unit } = DURATION.exec(text)?.groups ?? {};
  const unitMs = unitsMs.get(unit || "ms");
  return unitMs === undefined ? undefined : Number(count) * unitMs;
}

/** A duration within bounds that are written as a user would write them. In milliseconds. */
export function duration(from: string, to: string): Parser<number> {
  const fromMs = durationMs(from) ?? Number.NaN;
  const toMs = durationMs(to) ?? Number.NaN;
  return {
    accepts: `a duration from ${from} to ${to}, in milliseconds or with a unit (ms, s, m, h, d)`,
    parse: (text) => {
      const ms = durationMs(text) ?? Number.NaN;
      return ms >= fromMs && ms <= toMs ? ms : undefined;
    },
  };
}

/** Where a server listens. */
export const listenAddress: Parser<Address> = {
  accepts: "host:port, such as 127.0.0.1:50051 or [::1]:50051; port 0 picks a free one",
  parse: parseAddress,
};

/** Which processor is asked. */
export type ProcessorTarget =
  | { readonly kind: "remote"; readonly address: Address }
  /** Approves within this process, at once. */
  | { readonly kind: "instant" };

export const processorTarget: Parser<ProcessorTarget> = {
  accepts: "host:port, grpc://host:port, or instant:",
  parse: (text) => {
    if (text === "instant:") {
      return { kind: "instant" };
    }
    const address = parseAddress(text.replace(/^grpc:\/\//, ""));
    return address === undefined || address.port === 0 ? undefined : { kind: "remote", address };
  },
};

/** The URL of a database, as it was given. */
export const postgresUrl: Parser<string> = {
  accepts: "a URL such as postgres://user:password@host:5432/database",
  // A "#" comes from a password that was not percent-encoded.
  parse: (text) =>
    /^postgres(ql)?:\/\/[^#]+$/.test(text) && URL.canParse(text) ? text : undefined,
};

const REDIS_PORT = "6379";

/** The URLs of independent Redis nodes. */
export const redisUrls: Parser<readonly string[]> = {
  // One more node than an odd count survives no more failures.
  accepts:
    "an odd number of different nodes with commas between them, each host:port, redis://... or rediss://...; localhost and 127.0.0.1 are one",
  parse: (text) => {
    const nodes = text.split(",").map((part) => redisNode(part.trim()));
    const found = nodes.filter((node) => node !== undefined);
    const isAccepted =
      found.length === nodes.length &&
      found.length % 2 === 1 &&
      new Set(found.map(({ server }) => server)).size === found.length;
    return isAccepted ? found.map(({ url }) => url) : undefined;
  },
};

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

/** Names that a server answers to, in lower case; an IPv6 address without brackets. */
export const hostNames: Parser<readonly string[]> = {
  accepts: "host names or addresses with commas between them, without scheme and port",
  parse: (text) => {
    const hosts = text.split(",").map((part) => parseAddress(`${part.trim()}:0`)?.host);
    const found = hosts.filter((host) => host !== undefined);
    return found.length === hosts.length ? found.map((host) => host.toLowerCase()) : undefined;
  },
};

/** An amount of memory. In MiB. */
export function mebibytes(from: number, to: number): Parser<number> {
  return wholeNumber("a whole number of MiB", from, to);
}

export function count(from: number, to: number): Parser<number> {
  return wholeNumber("a whole number", from, to);
}

function wholeNumber(what: string, from: number, to: number): Parser<number> {
  return {
    accepts: `${what} from ${from} to ${to}`,
    parse: (text) => {
      const number = /^\d+$/.test(text) ? Number(text) : Number.NaN;
      return number >= from && number <= to ? number : undefined;
    },
  };
}

/** The path of a file or a directory. */
export function path(what: "file" | "directory"): Parser<string> {
  return {
    accepts: `the path of a ${what}`,
    parse: (text) => (text === "" || text.includes("\0") ? undefined : text),
  };
}

// RFC 2104, section 3: a key shorter than the hash's output weakens the HMAC.
const SECRET_BYTES = 32;

export const secret: Parser<string> = {
  accepts: `at least ${SECRET_BYTES} bytes that nobody can guess`,
  parse: (text) => (Buffer.byteLength(text) >= SECRET_BYTES ? text : undefined),
};

/** One of a few words. */
export function oneOf<const Word extends string>(words: readonly Word[]): Parser<Word> {
  return {
    accepts: words.join(", "),
    parse: (text) => words.find((word) => word === text),
  };
}
