import type { Lab } from "../lab/lab.js";
import type { Before } from "../programs/measured-server.js";
import { summaryOf } from "../report/figures.js";
import type { GroupResult, MeasuredLine, Table } from "../report/result.js";
import type { Rounds } from "../run-group.js";
import { type Memory, startMeasuredServer } from "./measured-server.js";
import { MEBIBYTE, memoryLine } from "./memory-line.js";

const FEW = 2_000;
/** As many as an executor has under way at most. */
const MANY = 10_000;

/** What may be there, of what was there before, once many calls are answered. */
const LEFT_AT_MOST = 1.1;

interface Case {
  readonly before: Before;
  readonly requestBytes?: number;
}

const cases: readonly Case[] = [
  { before: "nothing" },
  { before: "the executor" },
  { before: "nothing", requestBytes: 1_024 },
  { before: "the executor", requestBytes: 1_024 },
];

/** The memory of a server in one round. */
interface Observation {
  readonly idle: Memory;
  readonly withFew: Memory;
  readonly withMany: Memory;
  readonly idleAgain: Memory;
}

/** What a call in flight takes in a gRPC server, with the executor before its handler or without. */
export async function studyCallsInFlight(lab: Lab, { rounds }: Rounds): Promise<GroupResult> {
  const rows: MeasuredLine[] = [];
  const lines: Table["lines"][number][] = [];
  for (const one of cases) {
    const observations = await observe(lab, one, rounds);
    if (one.before === "the executor") {
      rows.push(...rowsOf(one, observations));
    }
    lines.push(lineOf(one, observations));
  }
  const title = `Live memory of a gRPC server with ${MANY} calls in flight, medians; MiB`;
  return { rows, tables: [{ title, lines }] };
}

async function observe(
  lab: Lab,
  { before, ...request }: Case,
  rounds: number,
): Promise<readonly Observation[]> {
  const server = await startMeasuredServer(lab, before);
  await server.memoryHolding({ count: MANY, ...request }); // what grows once has grown then
  const observations: Observation[] = [];
  for (let round = 0; round < rounds; round += 1) {
    observations.push({
      idle: await server.memory(),
      withFew: await server.memoryHolding({ count: FEW, ...request }),
      withMany: await server.memoryHolding({ count: MANY, ...request }),
      idleAgain: await server.memory(),
    });
  }
  return observations;
}

function rowsOf(one: Case, observations: readonly Observation[]) {
  const request = requestOf(one);
  return [
    memoryLine({
      measured: `a call in flight, ${request}`,
      atOnce: MANY,
      ratios: observations.map(bytesPerCall),
    }),
    memoryLine({
      measured: `after the calls, ${request}`,
      baseline: "before them",
      atOnce: MANY,
      floor: LEFT_AT_MOST,
      ratios: observations.map(({ idle, idleAgain }) => idleAgain.live / idle.live),
    }),
  ];
}

function lineOf(one: Case, observations: readonly Observation[]) {
  const median = (of: (observation: Observation) => number) =>
    summaryOf(observations.map(of)).median;
  return {
    "before the handler": one.before,
    request: requestOf(one),
    "bytes a call": median(bytesPerCall),
    before: median(({ idle }) => idle.live / MEBIBYTE),
    "in flight": median(({ withMany }) => withMany.live / MEBIBYTE),
    after: median(({ idleAgain }) => idleAgain.live / MEBIBYTE),
    "in flight, RSS": median(({ withMany }) => withMany.resident / MEBIBYTE),
  };
}

function bytesPerCall({ withFew, withMany }: Observation): number {
  return (withMany.live - withFew.live) / (MANY - FEW);
}

function requestOf({ requestBytes }: Case): string {
  return requestBytes === undefined ? "short request" : `request of ${requestBytes} bytes`;
}
