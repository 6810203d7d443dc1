import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { Webhook } from "standardwebhooks";

export const WEBHOOK_SECRET = `whsec_${Buffer.alloc(32, 5).toString("base64")}`;

/** One request to the receiver, whose signature is right. */
export interface Received {
  readonly webhookId: string;
  readonly type: string;
  readonly paymentId: string;
  readonly version: number;
  readonly path: string;
  /** When it came. Milliseconds of performance.now(). */
  readonly atMs: number;
  /** What it was answered with; 0 until then. */
  status: number;
}

export interface WebhookReceiver {
  readonly url: string;
  /** All requests in the order in which they came. */
  readonly received: readonly Received[];
  /** Requests whose signature was wrong; they are answered with 401. */
  forged(): number;
  /** Those that were accepted. */
  accepted(): readonly Received[];
  close(): Promise<void>;
}

export interface ReceiverOptions {
  readonly secret?: string;
  /** Decides how a request is answered. Default: 204. */
  readonly answer?: (received: Received) => number | Promise<number>;
  /** Makes it an https endpoint. */
  readonly tls?: { readonly cert: Buffer; readonly key: Buffer };
}

/** Starts a merchant's endpoint on loopback, which verifies with the package that merchants use. */
export async function startReceiver({
  secret = WEBHOOK_SECRET,
  answer = () => 204,
  tls,
}: ReceiverOptions = {}): Promise<WebhookReceiver> {
  const received: Received[] = [];
  let forged = 0;
  const webhook = new Webhook(secret);
  const listener: RequestListener = async (request, response) => {
    const body = await text(request);
    const headers = Object.fromEntries(
      Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
    );
    try {
      webhook.verify(body, headers);
    } catch {
      forged += 1;
      response.writeHead(401).end();
      return;
    }
    const { type, data } = JSON.parse(body);
    const entry: Received = {
      webhookId: headers["webhook-id"] ?? "",
      type,
      paymentId: data.payment.id,
      version: Number(data.payment.version),
      path: request.url ?? "",
      atMs: performance.now(),
      status: 0,
    };
    received.push(entry);
    entry.status = await answer(entry);
    response.writeHead(entry.status, { location: "/elsewhere" }).end("{}");
  };
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  // An AddressInfo: it listens on TCP.
  const { port } = server.address() as AddressInfo;
  return {
    url: `${tls === undefined ? "http" : "https"}://127.0.0.1:${port}/hooks`,
    received,
    forged: () => forged,
    accepted: () => received.filter(({ status }) => status >= 200 && status < 300),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A file of endpoints with the environment that makes a service read it. */
export async function webhooksFile(
  endpoints: readonly { readonly url: string; readonly tenant?: string }[],
) {
  const folder = await mkdtemp(join(tmpdir(), "payonce-test-webhooks-"));
  const file = join(folder, "webhooks.json");
  const entries = endpoints.map(({ url, tenant = "default" }) => ({
    ...{ tenant, url },
    secret: WEBHOOK_SECRET,
  }));
  await writeFile(file, JSON.stringify(entries));
  return {
    env: { WEBHOOKS_FILE: file, WEBHOOKS_ALLOW_PRIVATE: "yes" },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

/** The payments that an endpoint was told of in another order than that of their transitions. */
export function disordered(received: readonly Received[]): readonly string[] {
  const last = new Map<string, number>();
  return received.flatMap(({ paymentId, version }) => {
    const isLate = version < (last.get(paymentId) ?? 0);
    last.set(paymentId, version);
    return isLate ? [paymentId] : [];
  });
}
