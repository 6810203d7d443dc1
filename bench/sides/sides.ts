import type { Lab } from "../lab/lab.js";
import type { Traffic } from "../load/plan.js";
import type { Sizes } from "../options.js";
import type { PeerName } from "../peers/peers.js";
import type { CoreWork } from "../programs/core-calls.js";
import type { StoreWork } from "../programs/store-calls.js";
import type { Table } from "../report/result.js";
import { type FilledStore, startFilledStore } from "../scale/store.js";
import { createCallingSide } from "./calling.js";
import { type CoreProgram, createCoreSide, startCore } from "./core.js";
import { createNewKeysSide, createReplaysSide, type PeerProgram, startPeer } from "./peer.js";
import { atItsBest, createPgbenchSide } from "./pgbench.js";
import type { Side } from "./side.js";
import { createStoreSide, storeTable } from "./store.js";
import { type Target, type TargetName, targets } from "./target.js";

/** What a store of record with many records is compared with. */
const FEW_RECORDS = 10_000;

type Filling = "few records" | "many records";

/** What the sides of one group share: each thing is started once, when it is first needed. */
export interface Bench {
  readonly lab: Lab;
  target(name: TargetName): Promise<Target>;
  core(): Promise<CoreProgram>;
  peer(name: PeerName): Promise<PeerProgram>;
  store(filling: Filling): Promise<FilledStore>;
  /** What is to be told of it besides how the sides compare. */
  tables(): Promise<readonly Table[]>;
}

export function createBench(lab: Lab, { records }: Sizes): Bench {
  const started = new Map<TargetName, Promise<Target>>();
  const peers = new Map<PeerName, Promise<PeerProgram>>();
  const stores = new Map<Filling, Promise<FilledStore>>();
  let core: Promise<CoreProgram> | undefined;
  return {
    lab,
    target(name) {
      const target = started.get(name) ?? targets[name](lab);
      started.set(name, target);
      return target;
    },
    core() {
      core ??= startCore(lab);
      return core;
    },
    peer(name) {
      const peer = peers.get(name) ?? startPeer(lab, name);
      peers.set(name, peer);
      return peer;
    },
    store(filling) {
      const count = filling === "few records" ? FEW_RECORDS : records;
      const store = stores.get(filling) ?? startFilledStore(lab, count);
      stores.set(filling, store);
      return store;
    },
    async tables() {
      const filled = await Promise.all(stores.values());
      return filled.length === 0 ? [] : [storeTable(filled)];
    },
  };
}

type StartSide = (bench: Bench) => Promise<Side>;

const newKeys: Traffic = { kind: "new keys" };
const replays: Traffic = { kind: "replays", keys: 2_000 };
const oneKey: Traffic = { kind: "one key" };

/** Everything that is measured, by its name. "Elsewhere" is a process that did not give the answer. */
export const sides = {
  "no-op server": calls("no-op server", newKeys),
  "bare handler": calls("bare handler", newKeys),

  "gate, new keys": calls("gate", newKeys),
  "gate, replays": calls("gate for replays", replays),
  "gate, replays elsewhere": calls("gate that keeps no answers", replays),
  "gate with redlock's locks, new keys": calls("gate with redlock's locks", newKeys),
  "redlock gate, new keys": calls("redlock gate", newKeys),
  "redlock gate, replays": calls("redlock gate", replays),

  "payment, new keys": calls("payments", newKeys),
  "payment, replays": calls("payments", replays),
  "payment, 1 % duplicates": calls("payments", { kind: "mixed", duplicates: 0.01 }),
  "payment, 20 % duplicates": calls("payments", { kind: "mixed", duplicates: 0.2 }),
  "payment, one key": calls("payments", oneKey),
  "payment, two processes": calls("payments, two processes", newKeys),
  "payment, three processes, one key": calls("payments, three processes", oneKey),
  "payment before, new keys": calls("payments before", newKeys),
  "payment before, one key": calls("payments before", oneKey),

  "pgbench, one transaction": pgbench("payment-in-one-transaction.sql"),
  "pgbench at its best, one transaction": pgbenchAtItsBest("payment-in-one-transaction.sql"),
  "pgbench, two transactions": twice(pgbench("payment-in-one-transaction.sql")),
  "pgbench at its best, one statement": pgbenchAtItsBest("payment-in-one-statement.sql"),

  "core call, new key": core("new key"),
  "core call, replay": core("replay"),
  "core call, replay elsewhere": core("replay elsewhere"),
  "one GET": core("GET"),
  "two rounds to three nodes": core("two rounds to three nodes"),
  "two rounds and two commits": core("two rounds and two commits"),

  "payonce on Redis, new keys": newKeysOf("payonce on Redis"),
  "payonce on Redis, replays": replaysOf("payonce on Redis", "here"),
  "payonce on Redis, replays elsewhere": replaysOf("payonce on Redis", "elsewhere"),
  "node-idempotency, new keys": newKeysOf("node-idempotency"),
  "node-idempotency, replays": replaysOf("node-idempotency", "here"),
  "node-idempotency, replays elsewhere": replaysOf("node-idempotency", "elsewhere"),
  "powertools, new keys": newKeysOf("powertools"),
  "powertools, replays": replaysOf("powertools", "here"),
  "powertools, replays elsewhere": replaysOf("powertools", "elsewhere"),
  "redlock by hand, new keys": newKeysOf("redlock by hand"),
  "redlock by hand, replays": replaysOf("redlock by hand", "here"),
  "redlock by hand, replays elsewhere": replaysOf("redlock by hand", "elsewhere"),
  "payonce on Postgres, new keys": newKeysOf("payonce on Postgres"),
  "payonce on Postgres, replays": replaysOf("payonce on Postgres", "here"),
  "payonce on Postgres, replays elsewhere": replaysOf("payonce on Postgres", "elsewhere"),
  "DBOS, new keys": newKeysOf("DBOS"),
  "DBOS, replays": replaysOf("DBOS", "here"),
  "DBOS, replays elsewhere": replaysOf("DBOS", "elsewhere"),

  "claims, few records": storeWith("few records", "claim"),
  "claims, many records": storeWith("many records", "claim"),
  "whole calls, few records": storeWith("few records", "whole call"),
  "whole calls, many records": storeWith("many records", "whole call"),
  "replays, few records": storeWith("few records", "replay"),
  "replays, many records": storeWith("many records", "replay"),
} satisfies Record<string, StartSide>;

export type SideName = keyof typeof sides;

function calls(target: TargetName, traffic: Traffic): StartSide {
  return async (bench) => createCallingSide(bench.lab, await bench.target(target), traffic);
}

function core(work: CoreWork): StartSide {
  return async (bench) => createCoreSide(bench.lab, await bench.core(), work);
}

function pgbench(script: string): StartSide {
  return ({ lab }) => createPgbenchSide(lab, script);
}

function pgbenchAtItsBest(script: string): StartSide {
  return async ({ lab }) => atItsBest(await createPgbenchSide(lab, script));
}

/** Two pieces of work count as one. */
function twice(start: StartSide): StartSide {
  return async (bench) => {
    const side = await start(bench);
    return {
      async measure(load) {
        const sample = await side.measure(load);
        return { ...sample, calls: sample.calls / 2 };
      },
    };
  };
}

function newKeysOf(peer: PeerName): StartSide {
  return async (bench) => createNewKeysSide(bench.lab, await bench.peer(peer));
}

function replaysOf(peer: PeerName, where: "here" | "elsewhere"): StartSide {
  return async (bench) => createReplaysSide(bench.lab, await bench.peer(peer), where);
}

function storeWith(filling: Filling, work: StoreWork): StartSide {
  return async (bench) => createStoreSide(bench.lab, await bench.store(filling), work);
}
