import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import type { DoubleEffect, ProcessorDouble, ProcessorFault } from "../../../src/testing/index.js";
import { fromDecimal } from "../amounts.js";
import { createBooks, type Order } from "./books.js";

export interface OldbankDouble extends ProcessorDouble {
  readonly url: string;
  close(): Promise<void>;
}

const effectKinds = {
  authorization: "authorize",
  sale: "charge",
  capture: "capture",
  void: "void",
  refund: "refund",
} as const satisfies Record<string, DoubleEffect["kind"]>;

/** Starts a stand-in for Oldbank, over HTTP. What it is asked twice it does twice. */
export async function startOldbank(): Promise<OldbankDouble> {
  const books = createBooks();
  let armed: { fault: ProcessorFault; remaining: number }[] = [];

  function meet(isLookUp: boolean): ProcessorFault | undefined {
    const met = armed.find(
      ({ fault, remaining }) => remaining > 0 && (fault.kind === "hide_from_look_up") === isLookUp,
    );
    if (met !== undefined) {
      met.remaining -= 1;
    }
    return met?.fault;
  }

  async function serveEffect(path: string, order: Order, response: ServerResponse): Promise<void> {
    const fault = meet(false);
    if (fault?.kind === "delay_before") {
      await sleep(fault.delayMs);
    }
    if (fault?.kind === "drop_before" || fault?.kind === "error_before") {
      return interrupt(fault, response);
    }
    const entry = books.add(path, order);
    if (fault?.kind === "delay_after") {
      await sleep(fault.delayMs);
    }
    if (fault?.kind === "drop_after" || fault?.kind === "error_after") {
      return interrupt(fault, response);
    }
    answer(response, entry === undefined ? 400 : 201, entry ?? "no such charge");
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://oldbank");
    if (request.method === "POST") {
      return serveEffect(url.pathname, (await json(request)) as Order, response);
    }
    const isHidden = meet(true) !== undefined;
    answer(response, 200, isHidden ? [] : books.visible(url.searchParams));
  }

  const server = createServer((request, response) => {
    serve(request, response).catch((error) => response.destroy(error));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // a server that listens on a port has one

  return {
    url: `http://127.0.0.1:${port}`,
    async effectsOf({ tenant, paymentId }) {
      return books.approved(tenant, paymentId).map(({ kind, amount, currency }) => ({
        kind: effectKinds[kind],
        ...(amount === undefined ? {} : { amount: fromDecimal(amount, currency ?? "") }),
      }));
    },
    async arm(faults) {
      armed = faults.map((fault) => ({
        fault,
        remaining: "times" in fault ? (fault.times ?? 1) : 1,
      }));
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

function interrupt(fault: ProcessorFault, response: ServerResponse): void {
  if ("status" in fault) {
    answer(response, fault.status, "told to fail");
  } else {
    response.destroy();
  }
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
