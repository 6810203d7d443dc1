import { distance as editDistance } from "fastest-levenshtein";
import { type SettingName, settingNames, variableOf } from "./settings.js";

/** A name of the environment that is no setting, though somebody may have meant one. */
export interface Misspelling {
  readonly name: string;
  /** The setting that was probably meant. */
  readonly intended: SettingName;
  /** Says whether the name stops the start, or is only a warning. */
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
  "sandboxStripeListen",
  "responseCacheSecret",
  "databaseUrl",
  "databaseSchema",
  "processorUrl",
  "webhooksFile",
]);

/**
 * The variables that platforms put into every environment, meant for whoever reads it: a port
 * to listen on, and in Kubernetes the address of each service of the namespace,
 * such as PROCESSOR_PORT=tcp://10.0.0.1:80.
 */
const INJECTED = /^PORT$|_(HOST|PORT)$/;

/** The last words of names of addresses, of our settings or of other systems'. */
const ADDRESS_WORDS = /^(URLS?|URI|LISTEN|BIND|ADDR|ADDRESS|ENDPOINT|HOST|PORT)$/;

/** Two slips of the hand. SSL_CERT_FILE, which OpenSSL reads, is 3 edits from TLS_CERT_FILE. */
const MOST_EDITS = 2;

const OUR_PREFIX = /^PAYONCE_/;

/** Finds the setting that a misspelt name probably stands for; undefined where it resembles none. */
export function misspelling(name: string): Misspelling | undefined {
  const candidates = settingNames
    .map((intended) => ({ intended, edits: editsTo(variableOf(intended), name) }))
    .sort((one, other) => one.edits - other.edits);
  const [nearest] = candidates;
  if (nearest === undefined || nearest.edits === Infinity || isSetting(name)) {
    return undefined;
  }
  const stops = STOPPING.has(nearest.intended) && !INJECTED.test(name);
  return { name, intended: nearest.intended, effect: stops ? "stops" : "warns" };
}

function isSetting(name: string): boolean {
  return settingNames.some((setting) => variableOf(setting) === name);
}

/** Returns the number of edits that make a name a variable of ours; infinite where it is another program's. */
function editsTo(variable: string, name: string): number {
  if (name === "PORT") {
    return variable === "HTTP_LISTEN" ? 0 : Infinity;
  }
  const plain = name.replace(OUR_PREFIX, "");
  const edits = editDistance(plain, variable);
  return edits <= MOST_EDITS || hasWordLeftOut(plain, variable) || isSameAddress(plain, variable)
    ? edits
    : Infinity;
}

/**
 * Returns true if one name has all words of the other but one that is not the first, such as
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

/** Returns true if both are addresses of the same thing, such as GRPC_PORT and GRPC_LISTEN. */
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
