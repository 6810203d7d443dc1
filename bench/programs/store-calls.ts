import { randomUUID } from "node:crypto";
import type { ClaimResult } from "../../src/idempotency/port/store.js";
import { POLICY_DEFAULTS } from "../../src/idempotency/request/policy.js";
import { createPostgresStore, openDatabase } from "../../src/stores/postgres/index.js";
import type { Measured } from "../load/plan.js";
import { runPlan } from "../load/run-plan.js";
import { claimOf, keyOf, outcomeOf } from "../scale/record.js";
import { answering, settings } from "./answering.js";

export interface StoreSettings {
  readonly databaseUrl: string;
  /** Those that the store was filled with. */
  readonly records: number;
}

export type StoreWork =
  /** Of new keys. */
  | "claim"
  /** The same, and their completion. */
  | "whole call"
  /** Of a call at random of all that the store was filled with. */
  | "replay";

export interface StoreQuestion {
  readonly work: StoreWork;
  readonly callers: number;
  readonly seconds: number;
}

// Calls the store of record alone, without executor or gate.
const { databaseUrl, records } = settings<StoreSettings>();
const store = createPostgresStore(openDatabase(databaseUrl, console.error));

async function claim(key: string) {
  const result = await store.claim(claimOf(key, randomUUID()));
  if (result.kind !== "claimed") {
    throw unexpected(key, result);
  }
  return result.claim;
}

const works: Record<StoreWork, (newKey: string) => Promise<unknown>> = {
  claim,
  async "whole call"(key) {
    const claimed = await claim(key);
    if (!(await store.complete(claimed, outcomeOf(key), POLICY_DEFAULTS.retentionMs))) {
      throw new Error(`${key} was claimed and is somebody else's`);
    }
  },
  async replay() {
    const key = keyOf(Math.floor(Math.random() * records));
    const result = await store.claim(claimOf(key, randomUUID()));
    if (
      result.kind !== "replay" ||
      Buffer.compare(result.outcome.body, outcomeOf(key).body) !== 0
    ) {
      throw unexpected(key, result);
    }
  },
};

function unexpected(key: string, result: ClaimResult): Error {
  return new Error(`${key} was answered with: ${result.kind}`);
}

answering(async ({ work, callers, seconds }: StoreQuestion): Promise<Measured> => {
  const plan = { prefix: randomUUID(), traffic: { kind: "new keys" }, callers, seconds } as const;
  const {
    calls,
    seconds: took,
    latency,
  } = await runPlan(plan, async (key) => {
    await works[work](key);
  });
  return { calls, seconds: took, ...(latency === undefined ? {} : { latency }) };
});
