import type { Client } from "@grpc/grpc-js";
import { callUntilAnswered, createClient, encodeRequest } from "./client.js";
import type { Answered, Plan } from "./plan.js";
import { runPlan } from "./run-plan.js";

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

  return (plan) => callTargets(plan, channelsTo(plan.targets));
}

async function callTargets(plan: Plan, clients: readonly Client[]): Promise<Answered> {
  let replayed = 0;
  let retries = 0;
  const request = encodeRequest(plan.requestBytes);
  const done = await runPlan(plan, async (key, caller) => {
    const client = clients[caller % clients.length];
    if (client === undefined) {
      throw new Error("there is no target");
    }
    const answer = await callUntilAnswered(client, { key, request, token: plan.token });
    replayed += answer.isReplayed ? 1 : 0;
    retries += answer.retries;
  });
  return { ...done, replayed, retries };
}
