import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { clients } from "../../support/conformance/clients.js";
import type { Driver } from "../../support/conformance/driver.js";
import { grpcurl, grpcurlAvailable } from "../../support/grpcurl.js";
import { expectAudit } from "../../support/operators/audit.js";
import { type Cluster, startCluster } from "../../support/service/cluster.js";
import { openProcessor, type Processor } from "../../support/service/processor.js";
import { BUILD_LIMIT_MS, startReadyDriver } from "./payments.js";
import {
  grpcurlSender,
  jsonSender,
  rawSender,
  type Sender,
  type Sent,
  senderOf,
} from "./senders.js";

// The same payment, said in different ways.
const AMOUNT = { currencyCode: "EUR", minorUnits: "1999" };
const plain = {
  amount: AMOUNT,
  paymentMethod: "tok_visa",
  metadata: { basket: "7", channel: "web", shop: "north" },
};
const ways: readonly Sent["request"][] = [
  plain,
  { ...plain, metadata: { shop: "north", channel: "web", basket: "7" } },
  // Defaults that are said, and numbers as JSON may have them.
  {
    metadata: { channel: "web", shop: "north", basket: "7" },
    description: "",
    merchantReference: "",
    captureMethod: "CAPTURE_METHOD_UNSPECIFIED",
    paymentMethod: "tok_visa",
    amount: { minorUnits: "1999", currencyCode: "EUR" },
  },
];

// Field 4 (capture_method) and field 6 (description) with their default values.
const EXPLICIT_DEFAULTS = Uint8Array.of(0x20, 0x00, 0x32, 0x00);
// Field 100, which the schema does not have: a string.
const UNKNOWN_FIELD = Uint8Array.of(0xa2, 0x06, 0x03, ...Buffer.from("new"));

const changes: readonly { readonly what: string; readonly request: Sent["request"] }[] = [
  { what: "amount", request: { ...plain, amount: { ...AMOUNT, minorUnits: "2000" } } },
  { what: "metadata", request: { ...plain, metadata: { ...plain.metadata, shop: "south" } } },
  { what: "capture method", request: { ...plain, captureMethod: "CAPTURE_METHOD_MANUAL" } },
];

let cluster: Cluster;
let processor: Processor;
let drivers: readonly Driver[] = [];
let bytesByHand: ReturnType<typeof rawSender>;
let senders: readonly Sender[];

beforeAll(async () => {
  cluster = await startCluster({ services: 1 });
  processor = openProcessor(cluster.sandbox.address);
  const [service] = cluster.services;
  if (service === undefined) {
    throw new Error("no service runs");
  }
  drivers = await Promise.all(
    clients.map(({ driver }) => startReadyDriver(driver, service.grpcAddress)),
  );
  bytesByHand = rawSender(service);
  if (grpcurlAvailable) {
    await grpcurl(["-version"]);
  }
  senders = [
    ...drivers.map((driver, index) => senderOf(clients[index]?.name ?? "", driver, service)),
    ...(grpcurlAvailable ? [grpcurlSender(service)] : []),
    jsonSender(service),
    bytesByHand,
  ];
}, BUILD_LIMIT_MS);

afterAll(async () => {
  await Promise.all(drivers.map((driver) => driver.stop()));
  bytesByHand?.close();
  processor?.close();
  await cluster?.stop();
});

describe("one logical request from every language", () => {
  it("is one execution and then replays, however it is written", async () => {
    const effectsBefore = await processor.countEffects();
    const told = await tell(senders, (index) => ({
      key: "same-request",
      request: ways[index % ways.length] ?? plain,
      ...(index % 2 === 0 ? { more: EXPLICIT_DEFAULTS } : {}),
    }));
    expectOneExecution(told);
    expect(await processor.countEffects()).toBe(effectsBefore + 1);
  });

  it("is one execution also with a field that the service does not know", async () => {
    const sent = { key: "unknown-field", request: plain, more: UNKNOWN_FIELD };
    expectOneExecution(
      await tell(
        senders.filter(({ sendsBytes }) => sendsBytes),
        () => sent,
      ),
    );
    // Without that field it is another request.
    const without = await tell(senders, () => ({ key: sent.key, request: plain }));
    expect(without.map(({ code }) => code)).toEqual(without.map(() => "FAILED_PRECONDITION"));
  });

  it.each(changes)("is refused with another $what", async ({ what, request }) => {
    const key = `changed-${what.replace(" ", "-")}`;
    expectOneExecution(await tell(senders.slice(0, 1), () => ({ key, request: plain })));
    const changed = await tell(senders, () => ({ key, request }));
    expect(changed.map(({ code }) => code)).toEqual(changed.map(() => "FAILED_PRECONDITION"));
  });

  it("violates no invariant", () => expectAudit(cluster));
});

/** Lets all send, one after the other. */
async function tell(of: readonly Sender[], sentBy: (index: number) => Sent) {
  const told = [];
  for (const [index, sender] of of.entries()) {
    told.push({ name: sender.name, ...(await sender.send(sentBy(index))) });
  }
  return told;
}

function expectOneExecution(told: Awaited<ReturnType<typeof tell>>): void {
  const [first] = told;
  expect(first?.paymentId).toMatch(/./);
  expect(told).toEqual(
    told.map(({ name }, index) => ({
      name,
      code: "OK",
      replayed: index > 0,
      paymentId: first?.paymentId,
    })),
  );
}
