import { type PeerName, peers } from "./peers/peers.js";
import type { Figure, SampledFigure } from "./report/figures.js";
import type { SideName } from "./sides/sides.js";

/** One line of the result: something against its baseline, measured in the same run. */
export interface Line {
  readonly group: string;
  readonly figure: Figure;
  readonly measured: string;
  /** Absent where the figure needs none. */
  readonly baseline?: string;
  /** Calls at once. */
  readonly atOnce: number;
  /** What must be reached, and what should be. */
  readonly floor?: number;
  readonly goal?: number;
  /** Where a peer is measured against ours. */
  readonly peers?: { readonly measured: PeerName; readonly baseline: PeerName };
}

/**
 * A line that is measured in rounds, a side against its baseline. Rows of one
 * group share their servers, and take turns in the same rounds. Two pgbench in
 * one group would need more connections than Postgres has.
 */
export interface Row extends Line {
  readonly figure: SampledFigure;
  readonly measured: SideName;
  readonly baseline?: SideName;
}

type Targets = Pick<Row, "floor" | "goal">;

/** The same row with few and with many calls at once. */
function atEach(
  row: Omit<Row, "atOnce" | "figure" | keyof Targets>,
  targets: { readonly 16?: Targets; readonly 128?: Targets } = {},
): readonly Row[] {
  return ([16, 128] as const).map((atOnce) => ({
    ...row,
    figure: "throughput",
    atOnce,
    ...targets[atOnce],
  }));
}

function latency(row: Pick<Row, "measured" | "baseline"> & Targets): Row {
  return { ...row, group: "latency", figure: "latency", atOnce: 1 };
}

/** New keys and replays of a peer against ours on the same server. The fastest one counts. */
function peerRows(name: Exclude<PeerName, `payonce${string}`>, targets: Targets): readonly Row[] {
  const ours = `payonce on ${peers[name].on}` as const;
  return ([16, 128] as const).flatMap((atOnce) =>
    (["new keys", "replays", "replays elsewhere"] as const).map((traffic) => ({
      group: "peers",
      figure: "peer's throughput",
      measured: `${name}, ${traffic}`,
      baseline: `${ours}, ${traffic}`,
      atOnce,
      ...targets,
      peers: { measured: name, baseline: ours },
    })),
  );
}

const gate = { group: "gate", baseline: "bare handler" } as const;
const payment = { group: "payment", measured: "payment, new keys" } as const;
const mixed = { group: "mixed", baseline: "payment, new keys" } as const;
const onRedis = { floor: 1, goal: 0.7 };
/** Ten million records against ten thousand. */
const scale = { group: "scale", figure: "throughput", atOnce: 16, floor: 0.67, goal: 1 } as const;
const contended = { group: "contended", figure: "throughput", atOnce: 128 } as const;

export const rows: readonly Row[] = [
  ...atEach({ group: "generator", measured: "bare handler", baseline: "no-op server" }),

  ...atEach(
    { ...gate, measured: "gate, new keys" },
    { 16: { floor: 0.5, goal: 0.7 }, 128: { floor: 0.6, goal: 0.8 } },
  ),
  ...atEach({ ...gate, measured: "gate, replays" }, { 128: { floor: 0.85, goal: 1 } }),
  ...atEach({ ...gate, measured: "gate, replays elsewhere" }, { 128: { floor: 0.85, goal: 1 } }),
  ...atEach({ ...gate, measured: "gate with redlock's locks, new keys" }),
  ...atEach({ ...gate, measured: "redlock gate, new keys" }),
  ...atEach({ ...gate, measured: "redlock gate, replays" }),

  ...atEach(
    { ...payment, baseline: "pgbench at its best, one transaction" },
    { 16: { floor: 0.75, goal: 1 }, 128: { floor: 1.3, goal: 2 } },
  ),
  {
    ...payment,
    baseline: "bare handler",
    figure: "server's CPU",
    atOnce: 128,
    floor: 2.5,
    goal: 1.8,
  },
  {
    ...payment,
    baseline: "pgbench at its best, one transaction",
    figure: "Postgres' CPU",
    atOnce: 128,
    floor: 0.3,
    goal: 0.2,
  },
  ...atEach({ ...payment, baseline: "payment before, new keys" }, { 128: { floor: 4, goal: 8 } }),
  ...atEach({ ...payment, baseline: "bare handler" }),

  // How pgbench falls with more clients than do it good.
  ...atEach({
    group: "pgbench",
    measured: "pgbench, one transaction",
    baseline: "pgbench at its best, one transaction",
  }),
  ...atEach({
    ...payment,
    group: "statement",
    baseline: "pgbench at its best, one statement",
  }),

  ...atEach(
    { group: "processes", measured: "payment, two processes", baseline: "payment, new keys" },
    { 128: { floor: 1, goal: 1.2 } },
  ),

  latency({
    measured: "core call, new key",
    baseline: "two rounds to three nodes",
    floor: 1.8,
    goal: 1.3,
  }),
  latency({ measured: "core call, replay", baseline: "one GET", floor: 1.6, goal: 1.2 }),
  latency({ measured: "core call, replay elsewhere", baseline: "one GET", floor: 1.6, goal: 1.2 }),
  latency({ measured: "payment, new keys", baseline: "two rounds and two commits" }),
  latency({
    measured: "payment, new keys",
    baseline: "pgbench, two transactions",
    floor: 1.8,
    goal: 1.3,
  }),
  latency({ measured: "payment, replays", baseline: "one GET" }),

  { ...contended, measured: "payment, one key", baseline: "bare handler" },
  { ...contended, measured: "payment, one key", baseline: "payment before, one key" },
  {
    group: "storm",
    figure: "executions",
    measured: "payment, three processes, one key",
    atOnce: 1_000,
    floor: 1,
    goal: 1,
  },

  ...atEach({ ...mixed, measured: "payment, 1 % duplicates" }),
  ...atEach({ ...mixed, measured: "payment, 20 % duplicates" }),

  ...peerRows("node-idempotency", onRedis),
  ...peerRows("powertools", onRedis),
  ...peerRows("redlock by hand", onRedis),
  ...peerRows("DBOS", {}),

  { ...scale, measured: "claims, many records", baseline: "claims, few records" },
  { ...scale, measured: "whole calls, many records", baseline: "whole calls, few records" },
  { ...scale, measured: "replays, many records", baseline: "replays, few records" },
];
