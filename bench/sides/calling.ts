import { startCpuMeter } from "../lab/cpu.js";
import type { Lab } from "../lab/lab.js";
import type { Answered, Plan, Traffic } from "../load/plan.js";
import type { Sample, Side } from "./side.js";
import type { Target } from "./target.js";

const NEW_KEYS: Traffic = { kind: "new keys" };
const PREPARING = { callers: 16, seconds: 60 };

let prefixes = 0;

/** What the load generator calls over gRPC. */
export async function createCallingSide(lab: Lab, target: Target, traffic: Traffic): Promise<Side> {
  const makePrefix = () => `bench-${prefixes++}`;
  const call = (plan: Omit<Plan, "targets">) => callTarget(lab, target, plan);
  if (traffic.kind !== "replays") {
    return {
      measure: ({ atOnce, seconds }) =>
        call({ prefix: makePrefix(), traffic, callers: atOnce, seconds }),
    };
  }
  const prefix = makePrefix();
  await call({ ...PREPARING, prefix, traffic: NEW_KEYS, maxCalls: traffic.keys });
  return {
    measure: ({ atOnce, seconds }) => call({ prefix, traffic, callers: atOnce, seconds }),
  };
}

async function callTarget(
  { generator, redis, postgres }: Lab,
  target: Target,
  plan: Omit<Plan, "targets">,
): Promise<Sample> {
  const executionsBefore = await target.executions();
  const readCpu = startCpuMeter({
    server: target.pids,
    redis: redis.pids,
    postgres: [postgres.pid],
    generator: [generator.pid],
  });
  const answered = await generator.ask({ ...plan, targets: target.addresses });
  const cpuMs = readCpu();
  const executions = (await target.executions()) - executionsBefore;
  assertRight(target, answered, executions);
  return { ...answered, cpuMs, executionsPerKey: executions / answered.newKeys };
}

/** @throws if anything was executed twice, or not at all. */
function assertRight(
  { repeats }: Target,
  { calls, newKeys, replayed }: Answered,
  executions: number,
): void {
  const expected =
    repeats === "executed again"
      ? { executions: calls, replayed: 0 }
      : { executions: newKeys, replayed: calls - newKeys };
  if (executions !== expected.executions || replayed !== expected.replayed) {
    throw new Error(
      `${calls} calls with ${newKeys} new keys made ${executions} executions and ${replayed} replays`,
    );
  }
}
