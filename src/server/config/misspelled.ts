import { type SettingName, settingNames, settings } from "./settings.js";

/** A name of the environment that is no setting, though somebody may have meant one. */
export interface Misspelling {
  readonly name: string;
  /** The variable that was probably meant. */
  readonly intended: string;
  /** Whether the start goes on without it. */
  readonly effect: "stops" | "warns";
}

/**
 * Settings that must not be missed: without them the service would be open to
 * more callers than is meant, or keep its records and move its money elsewhere,
 * and would look well. Without any of the others it is only slower or noisier,
 * or a default holds: Redis decides nothing.
 */
const STOPPING: ReadonlySet<SettingName> = new Set<SettingName>([
  "tlsCertFile",
  "tlsKeyFile",
  "tlsClientCaFile",
  "authTokensFile",
  "grpcListen",
  "httpListen",
  "sandboxListen",
  "sandboxTokenFile",
  "responseCacheSecret",
  "databaseUrl",
  "processorUrl",
]);

/**
 * What platforms put into every environment, meant for whoever reads it: a port
 * to listen on, and in Kubernetes the address of each service of the namespace,
 * such as PROCESSOR_PORT=tcp://10.0.0.1:80.
 */
const INJECTED = /^PORT$|_(HOST|PORT)$/;

/** What the name of an address may end with, of ours or of others. */
const ADDRESS_WORDS = /^(URLS?|URI|LISTEN|BIND|ADDR|ADDRESS|ENDPOINT|HOST|PORT)$/;

/** Two slips of the hand. SSL_CERT_FILE, which OpenSSL reads, is 3 edits from TLS_CERT_FILE. */
const MOST_EDITS = 2;

const OUR_PREFIX = /^PAYONCE_/;

/** What was probably meant by a name that is no setting; undefined where nothing of ours was. */
export function misspelling(name: string): Misspelling | undefined {
  const variables = settingNames.map((setting) => settings[setting].variable);
  if (variables.includes(name)) {
    return undefined;
  }
  const [nearest] = settingNames
    .map((setting) => ({ setting, distance: distanceTo(settings[setting].variable, name) }))
    .filter(({ distance }) => distance !== undefined)
    .sort((one, other) => Number(one.distance) - Number(other.distance));
  if (nearest === undefined) {
    return undefined;
  }
  const stops = STOPPING.has(nearest.setting) && !INJECTED.test(name);
  return {
    name,
    intended: settings[nearest.setting].variable,
    effect: stops ? "stops" : "warns",
  };
}

/** How far a name is from a variable of ours; undefined where it is another program's. */
function distanceTo(variable: string, name: string): number | undefined {
  if (name === "PORT") {
    return variable === "HTTP_LISTEN" ? 0 : undefined;
  }
  const plain = name.replace(OUR_PREFIX, "");
  const edits = editDistance(plain, variable);
  return edits <= MOST_EDITS || hasWordLeftOut(plain, variable) || isSameAddress(plain, variable)
    ? edits
    : undefined;
}

/**
 * Whether one has all words of the other but one that is not the first, such as
 * TLS_CERT and TLS_CERT_FILE; a word may be cut short, such as CERTIFICATE. What
 * comes first tells programs apart: XDG_DATA_DIRS is no DATA_DIR.
 */
function hasWordLeftOut(one: string, other: string): boolean {
  const [short = [], long = []] = [one.split("_"), other.split("_")].sort(
    (left, right) => left.length - right.length,
  );
  if (short.length < 2 || long.length - short.length > 1) {
    return false;
  }
  const candidates =
    long.length === short.length
      ? [long]
      : long.slice(1).map((_, index) => long.toSpliced(index + 1, 1));
  return candidates.some((words) =>
    words.every((word, index) => isSameWord(word, short[index] ?? "")),
  );
}

function isSameWord(one: string, other: string): boolean {
  return one !== "" && other !== "" && (one.startsWith(other) || other.startsWith(one));
}

/** Whether both are addresses of the same thing, such as GRPC_PORT and GRPC_LISTEN. */
function isSameAddress(one: string, other: string): boolean {
  const [subject, form] = one.split("_");
  const [ourSubject, ourForm, ...more] = other.split("_");
  return (
    more.length === 0 &&
    subject === ourSubject &&
    ADDRESS_WORDS.test(ourForm ?? "") &&
    one.split("_").length === 2 &&
    ADDRESS_WORDS.test(form ?? "")
  );
}

/** How many characters to insert, delete or replace to make one text the other (Levenshtein). */
function editDistance(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (const [row, character] of [...from].entries()) {
    const current = [row + 1];
    for (const [column, wanted] of [...to].entries()) {
      const replaced = (previous[column] ?? 0) + (character === wanted ? 0 : 1);
      const deleted = (previous[column + 1] ?? 0) + 1;
      const inserted = (current[column] ?? 0) + 1;
      current.push(Math.min(replaced, deleted, inserted));
    }
    previous = current;
  }
  return previous.at(-1) ?? 0;
}
