import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import {
  createSender,
  type Resolve,
  type SenderOptions,
  type SendResult,
} from "../../../src/payments/webhooks/send.js";

const servers: Server[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

/** Starts a server on loopback. Returns its port, and the paths that it was asked for. */
async function serve(listener: RequestListener) {
  const paths: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    paths.push(request.url);
    request.resume();
    listener(request, response);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  // An AddressInfo: it listens on TCP.
  const { port } = server.address() as AddressInfo;
  return { port, paths };
}

const answering =
  (status: number): RequestListener =>
  (_, response) =>
    response.writeHead(status, { location: "/elsewhere" }).end();

function sendTo(
  url: string,
  options: Partial<SenderOptions> = {},
  signal = new AbortController().signal,
): Promise<SendResult> {
  const send = createSender({ allowPrivate: true, ...options });
  return send({ url: new URL(url), headers: {}, body: "{}", signal });
}

/** A name server that says so in turn, and goes on with the last. */
function resolving(...answers: readonly string[][]): Resolve & { asked(): number } {
  let asked = 0;
  const resolve: Resolve = (_, __, callback) => {
    const addresses = answers[Math.min(asked, answers.length - 1)] ?? [];
    asked += 1;
    callback(
      null,
      addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
    );
  };
  return Object.assign(resolve, { asked: () => asked });
}

const refused = {
  kind: "failed",
  reason: "the address is private, or otherwise refused",
} as const;

describe("the answer of an endpoint", () => {
  it.each([200, 201, 204, 299])("%d is delivered", async (status) => {
    const { port } = await serve(answering(status));
    expect(await sendTo(`http://127.0.0.1:${port}/`)).toEqual({ kind: "delivered" });
  });

  it.each([301, 302, 307, 308, 400, 404, 429, 500, 503])(
    "%d has failed, and no redirect is followed",
    async (status) => {
      const { port, paths } = await serve(answering(status));
      const reason = `answered ${status}`;
      expect(await sendTo(`http://127.0.0.1:${port}/`)).toEqual({ kind: "failed", reason });
      expect(paths).toEqual(["/"]);
    },
  );

  it("410 says that it wants nothing more", async () => {
    const { port } = await serve(answering(410));
    const result = await sendTo(`http://127.0.0.1:${port}/`);
    expect(result).toEqual({ kind: "gone", reason: "answered 410" });
  });

  it("is waited for as long as the limit", async () => {
    const { port } = await serve(() => {});
    const result = await sendTo(`http://127.0.0.1:${port}/`, { limitMs: 200 });
    expect(result).toEqual({ kind: "failed", reason: "no answer within 200 ms" });
  });

  it("may have a body without an end, of which little is read", async () => {
    let isOpen = true;
    const { port } = await serve((_, response) => {
      response.on("close", () => {
        isOpen = false;
      });
      response.writeHead(200);
      const more = () => {
        if (isOpen) {
          response.write(Buffer.alloc(16_384), () => setImmediate(more));
        }
      };
      more();
    });
    const sinceMs = performance.now();
    expect(await sendTo(`http://127.0.0.1:${port}/`)).toEqual({ kind: "delivered" });
    expect(performance.now() - sinceMs).toBeLessThan(5_000);
  });

  it("may have a body that stops, which is waited for no longer than the limit", async () => {
    const { port } = await serve((_, response) => response.writeHead(200).write("{"));
    const result = await sendTo(`http://127.0.0.1:${port}/`, { limitMs: 300 });
    expect(result).toEqual({ kind: "delivered" });
  });

  it("is not known where nobody listens, and not waited for once the sender is stopped", async () => {
    const { port } = await serve(() => {});
    servers.pop()?.close();
    const result = await sendTo(`http://127.0.0.1:${port}/`);
    expect(result).toEqual({ kind: "failed", reason: "ECONNREFUSED" });
    const silent = await serve(() => {});
    const stopping = new AbortController();
    const sent = sendTo(`http://127.0.0.1:${silent.port}/`, {}, stopping.signal);
    setTimeout(() => stopping.abort(), 50);
    expect(await sent).toEqual({ kind: "interrupted" });
  });
});

describe("the address of an endpoint", () => {
  it.each(["127.0.0.1", "localhost", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]"])(
    "%s is refused unless it is allowed",
    async (host) => {
      const { port, paths } = await serve(answering(204));
      const result = await sendTo(`http://${host}:${port}/`, { allowPrivate: false });
      expect(result).toEqual(refused);
      expect(paths).toEqual([]);
    },
  );

  it("is the one that its name has when it is connected to, and no other", async () => {
    const { port, paths } = await serve(answering(204));
    const url = `https://shop.example:${port}/`;
    // A name that was public a moment ago.
    const rebound = resolving(["127.0.0.1"]);
    expect(await sendTo(url, { allowPrivate: false, resolve: rebound })).toEqual(refused);
    // Asked once for each attempt: there is no second answer to be given.
    expect(rebound.asked()).toBe(1);
    // One private address among public ones.
    const mixed = resolving(["93.184.215.14", "10.0.0.1"]);
    expect(await sendTo(url, { allowPrivate: false, resolve: mixed })).toEqual(refused);
    const metadata = resolving(["169.254.169.254"]);
    expect(await sendTo(url, { allowPrivate: true, resolve: metadata })).toEqual(refused);
    expect(paths).toEqual([]);
  });

  it("is connected to by name where it is allowed", async () => {
    const { port, paths } = await serve(answering(204));
    const resolve = resolving(["127.0.0.1"]);
    expect(await sendTo(`http://shop.example:${port}/a`, { resolve })).toEqual({
      kind: "delivered",
    });
    expect(paths).toEqual(["/a"]);
  });

  it("takes no plain http beyond loopback, also where private ones are allowed", async () => {
    const resolve = resolving(["10.0.0.1"]);
    expect(await sendTo("http://shop.example/", { resolve })).toEqual(refused);
    expect(await sendTo("http://10.0.0.1/")).toEqual(refused);
  });

  it("has to have a certificate of its name", async () => {
    const { port } = await serve(answering(204));
    const result = await sendTo(`https://127.0.0.1:${port}/`);
    expect(result).toMatchObject({ kind: "failed" });
  });
});
