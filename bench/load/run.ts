import type { Client } from "@grpc/grpc-js";
import { callUntilAnswered, createClient } from "./client.js";
import { keysOf } from "./keys.js";
import { type Answered, latencyOf, type Plan } from "./plan.js";

/** A few connections, so that no single one is what is measured. */
const CHANNELS = 4;

/** Runs plans one after another. Connections are kept from one to the next. */
export function createGenerator(): (plan: Plan) => Promise<Answered> {
  const channels = new Map<string, readonly Client[]>();

  function channelsTo(targets: readonly string[]): readonly Client[] {
    const each = Math.ceil(CHANNELS / targets.length);
    // One to each target in turn, so that neighbouring callers go to different ones.
    return Array.from({ length: each }, (_, index) =>
      targets.flatMap((target) => {
        const known =
          channels.get(target) ?? Array.from({ length: CHANNELS }, () => createClient(target));
        channels.set(target, known);
        return known[index] ?? [];
      }),
    ).flat();
  }

  return (plan) => runPlan(plan, channelsTo(plan.targets));
}

async function runPlan(plan: Plan, clients: readonly Client[]): Promise<Answered> {
  const { traffic, prefix, callers, seconds, maxCalls = Number.POSITIVE_INFINITY } = plan;
  const keys = keysOf(traffic, prefix);
  const timesMs: number[] = [];
  let begun = 0;
  let replayed = 0;
  let retries = 0;

  const startedAtMs = performance.now();
  const untilMs = startedAtMs + seconds * 1000;
  const goesOn = () => begun < maxCalls && performance.now() < untilMs;

  async function call(caller: number, key: string): Promise<void> {
    const client = clients[caller % clients.length];
    if (client === undefined) {
      throw new Error("there is no target");
    }
    begun += 1;
    const sentAtMs = performance.now();
    const answer = await callUntilAnswered(client, key);
    timesMs.push(performance.now() - sentAtMs);
    replayed += answer.isReplayed ? 1 : 0;
    retries += answer.retries;
  }

  const eachCaller = (work: (caller: number) => Promise<void>) =>
    Promise.all(Array.from({ length: callers }, (_, caller) => work(caller)));

  if (traffic.kind === "one key") {
    do {
      const key = keys.next();
      await eachCaller((caller) => call(caller, key));
    } while (goesOn());
  } else {
    await eachCaller(async (caller) => {
      while (goesOn()) {
        await call(caller, keys.next());
      }
    });
  }
  return {
    calls: timesMs.length,
    seconds: (performance.now() - startedAtMs) / 1000,
    newKeys: keys.made(),
    replayed,
    retries,
    latency: latencyOf(timesMs),
  };
}
