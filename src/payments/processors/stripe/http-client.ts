import { Agent as HttpAgent, request as requestHttp } from "node:http";
import { Agent as HttpsAgent, request as requestHttps } from "node:https";
import type Stripe from "stripe";

// Longer than an account's balance of a hundred intents with their charges, which is the largest answer.
const LONGEST_ANSWER_BYTES = 8 * 1024 * 1024;

/** Stripe's servers and what stands before them close idle connections at some time; ours is earlier. */
const IDLE_MS = 10_000;

/** Headers of an answer that something depends on; the rest, such as notices to be printed, stays out. */
const HEADERS = ["request-id", "stripe-version"] as const;

/**
 * Creates the HTTP client of Stripe's package. Unlike the package's own it bounds the whole call
 * and not only its pauses, never sends a call again (the package's repeats one whose connection
 * broke, even with its retries off), and asks no proxy: agents of one's own do not read
 * `HTTP_PROXY`.
 */
export function createHttpClient(): Stripe.HttpClient & { close(): void } {
  const options = { keepAlive: true, timeout: IDLE_MS };
  const http = new HttpAgent(options);
  const https = new HttpsAgent(options);
  return {
    getClientName: () => "payonce",
    makeRequest(host, port, path, method, headers, body, protocol, timeoutMs) {
      const isPlain = protocol === "http";
      const send = isPlain ? requestHttp : requestHttps;
      const signal = AbortSignal.timeout(timeoutMs);
      return new Promise((resolve, reject) => {
        const fail = (error: unknown) => reject(connectionError(error, signal));
        const request = send(
          { host, port, path, method, headers, agent: isPlain ? http : https, signal },
          (response) => {
            const status = response.statusCode ?? 0;
            const given = Object.fromEntries(
              HEADERS.flatMap((name) => {
                const value = response.headers[name];
                return typeof value === "string" ? [[name, value]] : [];
              }),
            );
            readAll(response).then((text) => {
              const raw = { statusCode: status, headers: given };
              resolve({
                getStatusCode: () => status,
                getHeaders: () => given,
                getRawResponse: () => raw,
                toStream: () => {
                  throw new Error("no call asks for a stream");
                },
                toJSON: async () => JSON.parse(text),
              });
            }, fail);
          },
        );
        request.on("error", fail);
        request.end(body);
      });
    },
    close() {
      http.destroy();
      https.destroy();
    },
  };
}

async function readAll(response: AsyncIterable<Buffer>): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of response) {
    bytes += part.length;
    if (bytes > LONGEST_ANSWER_BYTES) {
      throw Object.assign(new Error("the answer is too long"), { code: "ANSWER_TOO_LONG" });
    }
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

/** A code that the package does not take for a connection that is worth a second call. */
function connectionError(error: unknown, signal: AbortSignal): Error {
  const code = error instanceof Error && "code" in error ? String(error.code) : "UNKNOWN";
  return Object.assign(new Error("the call to Stripe failed"), {
    code: signal.aborted ? "TIMEOUT" : `CONNECTION_${code}`,
  });
}
