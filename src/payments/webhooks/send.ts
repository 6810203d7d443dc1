import { lookup as dnsLookup, type LookupAddress } from "node:dns";
import { once } from "node:events";
import { type ClientRequest, request as httpRequest, IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import type { LookupFunction } from "node:net";
import { addressOf, isAllowedAddress, isLoopbackAddress } from "./addresses.js";

/** The longest time for a whole attempt: name, connection, request, answer. Milliseconds. */
export const ATTEMPT_LIMIT_MS = 10_000;

/** Answers have nothing to say but their status; a polite one ends within this. */
const MAX_ANSWER_BYTES = 64 * 1024;

const GONE = 410;

export type SendResult =
  | { readonly kind: "delivered" }
  /** The endpoint wants no more of this or anything else. */
  | { readonly kind: "gone"; readonly reason: string }
  | { readonly kind: "failed"; readonly reason: string }
  /** The sender was stopped. The endpoint may have got it or not. */
  | { readonly kind: "interrupted" };

export interface WebhookRequest {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly signal: AbortSignal;
}

export type Send = (request: WebhookRequest) => Promise<SendResult>;

/** Asks for all addresses of a name, as `dns.lookup` does. */
export type Resolve = (
  hostname: string,
  options: { readonly all: true },
  callback: (error: Error | null, addresses: readonly LookupAddress[]) => void,
) => void;

export interface SenderOptions {
  readonly allowPrivate: boolean;
  readonly limitMs?: number;
  readonly resolve?: Resolve;
}

class AddressRefused extends Error {
  override readonly name = "AddressRefused";
}

/**
 * Makes what sends one request, and says what came of it: never rejects,
 * follows no redirect, and uses no connection twice. The addresses that are
 * checked are those that are connected to, so no name can change between the two.
 */
export function createSender({
  allowPrivate,
  limitMs = ATTEMPT_LIMIT_MS,
  resolve = dnsLookup,
}: SenderOptions): Send {
  const isAllowed = (address: string, { protocol }: URL) =>
    isAllowedAddress(address, { allowPrivate }) &&
    (protocol === "https:" || isLoopbackAddress(address));

  const lookupFor = (url: URL): LookupFunction => {
    return (hostname, options, callback) =>
      resolve(hostname, { ...options, all: true }, (error, addresses) => {
        const [first] = addresses ?? [];
        if (error !== null || first === undefined) {
          callback(error ?? new Error("no address"), []);
        } else if (!addresses.every(({ address }) => isAllowed(address, url))) {
          callback(new AddressRefused(), []);
        } else if (options.all) {
          callback(null, [...addresses]);
        } else {
          callback(null, first.address, first.family);
        }
      });
  };

  return async ({ url, headers, body, signal }) => {
    const limit = AbortSignal.timeout(limitMs);
    const address = addressOf(url);
    try {
      // No name, so nobody looks it up.
      if (address !== undefined && !isAllowed(address, url)) {
        throw new AddressRefused();
      }
      const request = (url.protocol === "https:" ? httpsRequest : httpRequest)(url, {
        method: "POST",
        headers: { ...headers, "content-length": Buffer.byteLength(body) },
        agent: false,
        lookup: lookupFor(url),
        signal: AbortSignal.any([signal, limit]),
      });
      return resultOf(await answerTo(request, body));
    } catch (error) {
      if (signal.aborted) {
        return { kind: "interrupted" };
      }
      const reason = limit.aborted ? `no answer within ${limitMs} ms` : reasonOf(error);
      return { kind: "failed", reason };
    }
  };
}

/** Resolves with the status, once the answer's body is over, or of no more use. */
async function answerTo(request: ClientRequest, body: string): Promise<number> {
  request.on("error", () => {}); // also once the answer has come
  request.end(body);
  const [response] = await once(request, "response");
  if (!(response instanceof IncomingMessage)) {
    throw new Error("no response");
  }
  try {
    let bytes = 0;
    for await (const chunk of response) {
      bytes += chunk.length;
      if (bytes > MAX_ANSWER_BYTES) {
        break; // closes the connection
      }
    }
  } catch {
    // The status has come, and that is all that is asked for.
  }
  return response.statusCode ?? 0;
}

function resultOf(status: number): SendResult {
  if (status >= 200 && status < 300) {
    return { kind: "delivered" };
  }
  return { kind: status === GONE ? "gone" : "failed", reason: `answered ${status}` };
}

/** In a few words, and without what the endpoint or its URL may hold. */
function reasonOf(error: unknown): string {
  if (error instanceof AddressRefused) {
    return "the address is private, or otherwise refused";
  }
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : "the connection failed";
}
