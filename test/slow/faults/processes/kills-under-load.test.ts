import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, expect, it } from "vitest";
import { FaultAction } from "../../../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import {
  type FaultCluster,
  KEEPING_ANSWERS,
  seconds,
  startFaultCluster,
  tell,
} from "../../../support/faults/fault-cluster.js";
import { ALL_CALLS } from "../../../support/service/processor.js";
import { killOwners } from "./kill-owners.js";
import { loadDuring, loadText } from "./load.js";

const KILLS = 20;

/** One kill, and a start that takes its time on a busy machine. */
const LIMIT_PER_KILL_MS = 10_000;

/** So that a kill meets calls of every kind: asked and not acted, acted and not answered. */
const PROCESSOR_DELAY = durationFromMs(150);

let cluster: FaultCluster;

beforeAll(async () => {
  cluster = await startFaultCluster({ services: 3, env: KEEPING_ANSWERS });
  await cluster.processor.arm(
    { action: FaultAction.DELAY_BEFORE, delay: PROCESSOR_DELAY, count: ALL_CALLS },
    { action: FaultAction.DELAY_AFTER, delay: PROCESSOR_DELAY, count: ALL_CALLS },
  );
});

afterAll(() => cluster?.stop());

it(
  `${KILLS} kills in a row under load: each key is charged once and has one answer`,
  async () => {
    let killed: readonly number[] = [];
    const load = await loadDuring(cluster, async () => {
      killed = await killOwners({ cluster, count: KILLS, random: Math.random });
    });
    const recoveredAfterMs = await cluster.recovered();
    const takeovers = await cluster.countTakeovers();
    tell(
      `killed ${killed.length} owners under load: ${loadText(load)}; taken over by recovery ${takeovers.recovery}, by duplicates ${takeovers.duplicates}; all recovered ${seconds(recoveredAfterMs)} after the last answer`,
    );
    expect(load.problems).toEqual([]);
    expect(load.effects).toBe(load.keys);
    expect(takeovers.recovery + takeovers.duplicates).toBeGreaterThan(0);
    await cluster.expectNothingViolated();
  },
  KILLS * LIMIT_PER_KILL_MS,
);
