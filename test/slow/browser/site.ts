import { once } from "node:events";
import * as http from "node:http";
import { buffer } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";
import { KEY_METADATA } from "../../../src/idempotency/request/key.js";

const SCRIPT = fileURLToPath(new URL("./page.ts", import.meta.url));

const PAGE = `<!doctype html>
<title>Checkout</title>
<button id="pay-now">Pay now</button>
<button id="pay-cart">Pay for the cart</button>
<ol id="answers"></ol>
<script type="module" src="/page.js"></script>
`;

const SERVICE_PATH = "/payonce.payments.v1.";

/**
 * How much of a reply does not arrive. Without any of it, Chromium itself sends
 * the call again if its connection was used before, and the page learns nothing.
 */
export type Loss = "all of it" | "half of it";

/** A shop's site: its page, and the payment service behind the same origin. */
export interface Site {
  readonly url: string;
  /** The keys of all calls of the payment service, in the order of their arrival. */
  readonly keys: readonly (string | undefined)[];
  /** The connection of the next call breaks once the service has answered it. */
  loseNextReply(loss: Loss): void;
  close(): Promise<void>;
}

/** @param serviceAddress host:port of the service's HTTP side */
export async function startSite(serviceAddress: string): Promise<Site> {
  const script = await bundleForBrowsers();
  const keys: (string | undefined)[] = [];
  const losses: Loss[] = [];

  const server = http.createServer((request, response) => {
    const path = request.url ?? "";
    if (path.startsWith(SERVICE_PATH)) {
      keys.push(request.headersDistinct[KEY_METADATA]?.join());
      forward(request, response).catch(() => response.destroy()); // the browser has left
    } else if (path === "/page.js") {
      response.setHeader("content-type", "text/javascript").end(script);
    } else {
      response.setHeader("content-type", "text/html").end(PAGE);
    }
  });

  async function forward(request: http.IncomingMessage, response: http.ServerResponse) {
    const { method, headers, url } = request;
    const loss = losses.shift();
    const call = http.request(`http://${serviceAddress}${url}`, { method, headers });
    request.pipe(call);
    response.once("close", () => call.destroy());
    const answer = await responseOf(call);
    const body = await buffer(answer);
    switch (loss) {
      case undefined:
        response.writeHead(answer.statusCode ?? 0, answer.headers).end(body);
        return;
      case "all of it":
        response.destroy();
        return;
      case "half of it":
        response.writeHead(answer.statusCode ?? 0, answer.headers);
        response.write(body.subarray(0, body.length / 2), () => response.destroy());
    }
  }

  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") {
    throw new Error("the site has no port");
  }
  return {
    url: `http://127.0.0.1:${address.port}`,
    keys,
    loseNextReply: (loss) => void losses.push(loss),
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

function responseOf(call: http.ClientRequest): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => call.once("response", resolve).once("error", reject));
}

/** The page's script with all that it imports, as a bundler makes it for a site. */
async function bundleForBrowsers(): Promise<string> {
  const bundle = await rolldown({ input: SCRIPT, platform: "browser" });
  const { output } = await bundle.generate({ format: "esm", codeSplitting: false });
  await bundle.close();
  return output[0].code;
}
