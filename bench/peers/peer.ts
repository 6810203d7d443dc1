import { createRequire } from "node:module";
import { join } from "node:path";

/** How long answers are kept, by whoever keeps them. Milliseconds. */
export const KEPT_MS = 3_600_000;

/** How long a call may take before its key is free again. Milliseconds. */
export const LEASE_MS = 15_000;

/** Of every answer. Bytes. */
export const ANSWER_LENGTH = 200;

/** The work of a call. It is not to be done twice for one key. */
export type Handler = (key: string) => Promise<string>;

/** Has the handler's answer for a key, which is the first one's if there was one. */
export type Call = (key: string) => Promise<string>;

export interface PeerOptions {
  readonly handler: Handler;
  readonly redisUrl: string;
  readonly databaseUrl: string;
  /** The folder in which the peers' packages are installed. */
  readonly packages: string;
}

/**
 * Connects to what keeps the answers. The function that comes of it begins
 * anew, with nothing in memory that was there before.
 */
export type ConnectPeer = (options: PeerOptions) => Promise<() => Call>;

/** What every call of a key asks for. */
export function requestOf(key: string) {
  return { key, amount: 4200, currency: "EUR", paymentMethod: "tok_visa" };
}

/** 200 bytes, other ones for each key. */
export function answerOf(key: string): string {
  return key.padEnd(ANSWER_LENGTH, "-");
}

/** Begins all names in Redis: every process starts with none of its keys known. */
export const PREFIX = `bench:${process.pid}`;

/**
 * A package of the folder. The caller describes the part of it that is used:
 * the package is not there when this is compiled.
 */
export function requirePackage<Package>(packages: string, name: string): Package {
  return createRequire(join(packages, "package.json"))(name) as Package;
}
