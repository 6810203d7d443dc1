import { setTimeout as sleep } from "node:timers/promises";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import {
  BookingService,
  type BookRoomRequestSchema,
} from "../../../examples/bookings/gen/acme/bookings/v1/bookings_pb.js";
import { deriveId } from "../../../src/index.js";
import { openPayments, type PaymentsClient } from "../../support/payments/payments-client.js";
import { createDatabase, type TestDatabase } from "../../support/servers/postgres.js";
import { type Cluster, startCluster } from "../../support/service/cluster.js";
import { openProcessor, type Processor } from "../../support/service/processor.js";
import { waitUntil } from "../../support/service/service-process.js";
import { type ExampleProcess, startExample } from "./example-process.js";

/** A slow card takes 3 s, and a lease in which nobody works 5 s. */
const ANSWER_LIMIT_MS = 30_000;
const RETRY_DELAY_MS = 200;

let cluster: Cluster;
let database: TestDatabase;
let server: ExampleProcess;
let payments: PaymentsClient;
let processor: Processor;

beforeAll(async () => {
  // The payments behind the bookings: a service, its database and its processor.
  [cluster, database] = await Promise.all([
    startCluster({ services: 1, redisNodes: 0 }),
    createDatabase(),
  ]);
  payments = openPayments(cluster.targets()[0] ?? "");
  processor = openProcessor(cluster.sandbox.address);
  await startServer();
});

afterAll(async () => {
  await server?.kill();
  payments?.close();
  processor?.close();
  await cluster?.stop();
  await database?.drop();
});

async function startServer(): Promise<void> {
  server = await startExample("bookings/server.ts", [
    "0",
    database.url,
    `http://${cluster.services[0]?.httpAddress}`,
    ...inject("redisUrls"),
  ]);
}

function openBookings() {
  const baseUrl = `http://127.0.0.1:${server.port}`;
  return createClient(BookingService, createConnectTransport({ baseUrl, httpVersion: "1.1" }));
}

type Wish = MessageInitShape<typeof BookRoomRequestSchema>;

const wish = (night: string, more: Wish = {}): Wish => ({
  room: "blue",
  night,
  guest: "Ada",
  paymentMethod: "tok_visa",
  ...more,
});

async function book(key: string, request: Wish) {
  let replayed = false;
  const { booking } = await openBookings().bookRoom(request, {
    headers: { "idempotency-key": key },
    onHeader: (headers) => {
      replayed = headers.has("idempotency-replayed");
    },
  });
  return { booking, replayed };
}

/** As a client does: the same call with the same key, until there is an answer. */
async function bookUntilAnswered(key: string, request: Wish) {
  const deadline = performance.now() + ANSWER_LIMIT_MS;
  for (;;) {
    try {
      return await book(key, request);
    } catch (error) {
      const { code } = ConnectError.from(error);
      if (![Code.Aborted, Code.Unavailable].includes(code) || performance.now() > deadline) {
        throw error;
      }
      await sleep(RETRY_DELAY_MS);
    }
  }
}

const bookingId = (key: string) =>
  deriveId("booking", {
    tenant: "default",
    operation: "acme.bookings.v1.BookingService/BookRoom",
    key,
  });

async function paymentsFor(key: string) {
  const { response } = await payments.listPayments({ merchantReference: bookingId(key) });
  return response?.payments ?? [];
}

/** What the processor has done for one key's booking. */
async function effectsFor(key: string): Promise<readonly string[]> {
  const found = await paymentsFor(key);
  return (await Promise.all(found.map(({ id }) => processor.effectTypesOf(id)))).flat();
}

async function bookedOn(night: string) {
  const { bookings } = await openBookings().listBookings({});
  return bookings.filter((booking) => booking.night === night);
}

/** Sends a call that takes long, and returns once its deposit is on the way. */
async function beginSlowly(key: string, night: string): Promise<void> {
  book(key, wish(night, { paymentMethod: "tok_slow" })).catch(() => {}); // the server is killed
  await waitUntil(async () => (await paymentsFor(key)).length > 0, ANSWER_LIMIT_MS);
}

describe("the bookings example", () => {
  it("books one room for one key, whatever the trace id", async () => {
    const first = await book("a", wish("2030-01-01", { traceId: "first" }));
    const second = await book("a", wish("2030-01-01", { traceId: "second" }));
    expect(first).toMatchObject({ booking: { id: bookingId("a"), room: "blue" }, replayed: false });
    expect(second).toEqual({ booking: first.booking, replayed: true });
    expect(await effectsFor("a")).toEqual(["AUTHORIZE_CAPTURE"]);
  });

  it("lets a second call wait for the first one's answer", async () => {
    const slowly = wish("2030-01-02", { paymentMethod: "tok_slow" });
    const both = await Promise.all([book("b", slowly), book("b", slowly)]);
    expect(both.map(({ replayed }) => replayed).sort()).toEqual([false, true]);
    expect(both[0]?.booking).toEqual(both[1]?.booking);
    expect(await effectsFor("b")).toEqual(["AUTHORIZE_CAPTURE"]);
  });

  it("refuses another booking under the same key", async () => {
    await book("c", wish("2030-01-03"));
    await expect(book("c", wish("2030-01-04"))).rejects.toMatchObject({
      code: Code.FailedPrecondition,
    });
    expect(await bookedOn("2030-01-04")).toEqual([]);
  });

  it("leaves the key free after a request that cannot be meant", async () => {
    await expect(book("d", wish("tomorrow"))).rejects.toMatchObject({ code: Code.InvalidArgument });
    expect(await book("d", wish("2030-01-05"))).toMatchObject({ replayed: false });
  });

  it("keeps the refusal of a declined deposit, and gives the room to another key", async () => {
    const declined = wish("2030-01-06", { paymentMethod: "tok_declined" });
    for (const _attempt of ["first", "second"]) {
      await expect(book("e", declined)).rejects.toMatchObject({ code: Code.FailedPrecondition });
    }
    expect(await effectsFor("e")).toEqual([]);
    await book("f", wish("2030-01-06"));
    expect(await bookedOn("2030-01-06")).toHaveLength(1);
  });

  it("finds out about a deposit whose answer was lost, and takes no second one", async () => {
    const lost = wish("2030-01-07", { paymentMethod: "tok_drop_reply" });
    await expect(book("g", lost)).rejects.toMatchObject({ code: Code.Unavailable });
    expect((await bookUntilAnswered("g", lost)).booking?.id).toBe(bookingId("g"));
    expect(await effectsFor("g")).toEqual(["AUTHORIZE_CAPTURE"]);
  });

  it("books once when it is killed in the middle of a call that is then retried", async () => {
    await beginSlowly("h", "2030-01-08");
    await server.kill();
    await startServer();
    const slowly = wish("2030-01-08", { paymentMethod: "tok_slow" });
    expect((await bookUntilAnswered("h", slowly)).booking?.id).toBe(bookingId("h"));
    expect(await bookedOn("2030-01-08")).toHaveLength(1);
    expect(await effectsFor("h")).toEqual(["AUTHORIZE_CAPTURE"]);
  });

  it("finishes a call by itself when it was killed and nobody retries", async () => {
    await beginSlowly("i", "2030-01-09");
    await server.kill();
    await startServer();
    await waitUntil(async () => (await bookedOn("2030-01-09")).length > 0, ANSWER_LIMIT_MS);
    expect(await effectsFor("i")).toEqual(["AUTHORIZE_CAPTURE"]);
  });
});
