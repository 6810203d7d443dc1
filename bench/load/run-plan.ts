import { keysOf } from "./keys.js";
import { latencyOf, type Plan, type PlanDone } from "./plan.js";

/** Has callers call, each one as soon as it has its answer. Rejects if a call does. */
export async function runPlan(
  plan: Omit<Plan, "targets">,
  call: (key: string, caller: number) => Promise<void>,
): Promise<PlanDone> {
  const { traffic, prefix, callers, seconds, maxCalls = Number.POSITIVE_INFINITY } = plan;
  const keys = keysOf(traffic, prefix);
  const timesMs: number[] = [];
  let begun = 0;

  const startedAtMs = performance.now();
  const untilMs = startedAtMs + seconds * 1000;
  const goesOn = () => begun < maxCalls && performance.now() < untilMs;

  async function timed(caller: number, key: string): Promise<void> {
    begun += 1;
    const sentAtMs = performance.now();
    await call(key, caller);
    timesMs.push(performance.now() - sentAtMs);
  }

  const eachCaller = (work: (caller: number) => Promise<void>) =>
    Promise.all(Array.from({ length: callers }, (_, caller) => work(caller)));

  if (traffic.kind === "one key") {
    do {
      const key = keys.next();
      await eachCaller((caller) => timed(caller, key));
    } while (goesOn());
  } else {
    await eachCaller(async (caller) => {
      while (goesOn()) {
        await timed(caller, keys.next());
      }
    });
  }
  return {
    calls: timesMs.length,
    seconds: (performance.now() - startedAtMs) / 1000,
    newKeys: keys.made(),
    latency: latencyOf(timesMs),
  };
}
