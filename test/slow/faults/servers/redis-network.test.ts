import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startTcpProxy, type TcpProxy } from "../../../support/calls/tcp-proxy.js";
import {
  type FaultCluster,
  startFaultCluster,
  tell,
} from "../../../support/faults/fault-cluster.js";
import { countDecisions } from "../../../support/faults/gate-metrics.js";
import { type PaymentsClient, paymentOf } from "../../../support/payments/payments-client.js";
import { type ServiceProcess, waitUntil } from "../../../support/service/service-process.js";
import { expectOnceDuring } from "./under-load.js";

/** Longer than a command's timeout, the gate's stepping aside and the silence that ends a connection. */
const FAULT_MS = 3_000;

const SLOW_NODE_MS = 2_000;

const SERVICES = 3;

/** Until a service has reconnected to its nodes, on a busy machine. */
const RECONNECT_LIMIT_MS = 20_000;

let cluster: FaultCluster;
/** The way from each service to each node. */
let ways: readonly (readonly TcpProxy[])[];

beforeAll(async () => {
  // Longer than a busy machine pauses: nobody loses a claim here.
  cluster = await startFaultCluster({ services: 0, env: { IDEMPOTENCY_LEASE_MS: "5s" } });
  ways = await Promise.all(
    Array.from({ length: SERVICES }, () =>
      Promise.all(cluster.redisNodes.map(({ port }) => startTcpProxy(port))),
    ),
  );
  await Promise.all(
    ways.map((toNodes) =>
      cluster.addService({
        REDIS_URLS: toNodes.map(({ port }) => `redis://127.0.0.1:${port}`).join(","),
      }),
    ),
  );
});

afterAll(async () => {
  await cluster?.stop();
  await Promise.all((ways ?? []).flat().map((proxy) => proxy.close()));
});

/** The ways of all services to some of the nodes. */
function waysTo(...nodes: readonly number[]): readonly TcpProxy[] {
  return ways.flatMap((toNodes) => toNodes.filter((_, node) => nodes.includes(node)));
}

/** Each service is cut off from another node: any two share one node only. */
function ownNodes(): readonly TcpProxy[] {
  return ways.flatMap((toNodes, service) => toNodes.filter((_, node) => node === service));
}

interface Partition {
  readonly what: string;
  readonly harmed: () => readonly TcpProxy[];
  readonly harm: (proxy: TcpProxy) => void;
}

function holdBoth(proxy: TcpProxy): void {
  proxy.hold("to server");
  proxy.hold("to client");
}

describe("a network that fails between services and Redis nodes, under load", () => {
  it.each([
    { what: "one node is out of reach", harmed: () => waysTo(0), harm: holdBoth },
    { what: "a majority is out of reach", harmed: () => waysTo(1, 2), harm: holdBoth },
    {
      what: "each service reaches another two of the three nodes",
      harmed: ownNodes,
      harm: holdBoth,
    },
    {
      what: "a majority hears requests, and its replies are lost",
      harmed: () => waysTo(0, 1),
      harm: (proxy) => proxy.hold("to client"),
    },
    {
      what: "a majority hears no requests any more",
      harmed: () => waysTo(0, 2),
      harm: (proxy) => proxy.hold("to server"),
    },
    {
      what: "connections to a majority break again and again",
      harmed: () => waysTo(1, 2),
      harm: (proxy) => proxy.cut(),
    },
    {
      what: `one node answers after ${SLOW_NODE_MS} ms`,
      harmed: () => waysTo(2),
      harm: (proxy) => proxy.delay(SLOW_NODE_MS),
    },
    {
      what: `a majority answers after ${SLOW_NODE_MS} ms`,
      harmed: () => waysTo(0, 1),
      harm: (proxy) => proxy.delay(SLOW_NODE_MS),
    },
  ] satisfies readonly Partition[])("$what: one charge for each key", async (partition) => {
    const { what, harmed, harm } = partition;
    await expectOnceDuring(cluster, {
      what,
      begin: () => harmed().forEach(harm),
      lastsMs: FAULT_MS,
      end: () => harmed().forEach((proxy) => void proxy.heal()),
    });
  });

  // Connections of the fault before may still break once more, and the gate steps aside for a second.
  it(`nobody waits for one node that takes ${SLOW_NODE_MS} ms`, { retry: 5 }, async () => {
    const [service] = cluster.services;
    if (service === undefined) {
      throw new Error("services were started");
    }
    const client = cluster.connect(service);
    for (const proxy of waysTo(2)) {
      proxy.delay(SLOW_NODE_MS);
    }
    // The other two may still be on their way back from the fault before.
    await untilGateWorks(service, client);
    const grantedBefore = await countDecisions(service, "granted");
    const tookMs = [];
    for (let call = 0; call < 5; call += 1) {
      const startedAtMs = performance.now();
      await client.createPayment(paymentOf("tok_visa"), `slow-node-${randomUUID()}`);
      tookMs.push(performance.now() - startedAtMs);
    }
    const granted = (await countDecisions(service, "granted")) - grantedBefore;
    for (const proxy of waysTo(2)) {
      proxy.heal();
    }
    tell(
      `1 of 3 nodes slow: 5 calls, locks granted ${granted}, quickest ${Math.round(Math.min(...tookMs))} ms`,
    );
    expect(granted).toBe(5);
    expect(Math.min(...tookMs)).toBeLessThan(SLOW_NODE_MS / 2);
  });

  it("violates no invariant", async () => {
    await cluster.recovered();
    await cluster.expectNothingViolated();
  });
});

/** An earlier fault may have made the gate step aside, for a while. */
async function untilGateWorks(service: ServiceProcess, client: PaymentsClient): Promise<void> {
  let calls = 0;
  await waitUntil(async () => {
    const before = await countDecisions(service, "granted");
    calls += 1;
    await client.createPayment(paymentOf("tok_visa"), `gate-works-${calls}`);
    return (await countDecisions(service, "granted")) > before;
  }, RECONNECT_LIMIT_MS);
}
