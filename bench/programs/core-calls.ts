import { createHash } from "node:crypto";
import { Redis } from "ioredis";
import pg from "pg";
import { createExecutor, type Executor } from "../../src/idempotency/execution/executor.js";
import { okOutcome } from "../../src/idempotency/port/outcome.js";
import { POLICY_DEFAULTS } from "../../src/idempotency/request/policy.js";
import { createMemoryStore } from "../../src/stores/memory/index.js";
import { redisGate } from "../../src/stores/redis/index.js";
import { latencyOf, type Measured } from "../load/plan.js";
import { ANSWER_BYTES } from "./answer.js";
import { answering, settings } from "./answering.js";
import { connectRedis } from "./redis.js";

export interface CoreSettings {
  readonly redisUrls: readonly string[];
  readonly databaseUrl: string;
}

/** What one caller does over and over within this process. */
export type CoreWork =
  | "new key"
  | "replay"
  /** In a process that did not give the answer. */
  | "replay elsewhere"
  | "GET"
  | "two rounds to three nodes"
  | "two rounds and two commits";

export interface CoreQuestion {
  readonly work: CoreWork;
  readonly seconds: number;
}

const KEPT_MS = 3_600_000;
const REPLAYED_KEYS = 500;

const { redisUrls, databaseUrl } = settings<CoreSettings>();
const namespace = `bench:${process.pid}`;

const nodes = await connectRedis(redisUrls);

/** The core: executor, gate and a store that costs nothing. */
function createCore(more: { readonly memoryBytes?: number } = {}) {
  const store = redisGate({
    store: createMemoryStore(),
    nodes,
    namespace: () => namespace,
    copyTtlMs: KEPT_MS,
    ...more,
  });
  return createExecutor({ store });
}

// The new keys of one take no room in the memory of another.
const newKeys = createCore();
const keeping = createCore();
const elsewhere = createCore({ memoryBytes: 0 });

const policy = {
  ...POLICY_DEFAULTS,
  operation: "bench.v1.Service/Call",
  required: true,
  inFlightWaitMs: 0,
  onLostOwner: "hold",
} as const;
const request = Buffer.alloc(80);
const hash = createHash("sha256").update(request).digest();
const { signal } = new AbortController();

/** Returns how the call was answered: by the handler, or from what is kept. */
async function call(executor: Executor<never>, key: string): Promise<"executed" | "replayed"> {
  let executions = 0;
  const { code, replayed } = await executor.execute({
    scope: { tenant: "default", operation: policy.operation, key },
    policy,
    fingerprint: { version: 1, canonical: hash, raw: hash },
    request,
    run: async () => {
      executions += 1;
      return okOutcome(ANSWER_BYTES);
    },
    signal,
  });
  if (code !== 0 || executions !== (replayed ? 0 : 1)) {
    throw new Error(`code ${code}, replayed: ${replayed}, ${executions} executions`);
  }
  return replayed ? "replayed" : "executed";
}

// The least that the same could cost: plain connections with ioredis's own defaults.
const plainNodes = redisUrls.map((url) => new Redis(url));
const [plainNode = new Redis()] = plainNodes;
const client = new pg.Client({ connectionString: databaseUrl });
await client.connect();
await client.query("CREATE TABLE commits (id bigint GENERATED ALWAYS AS IDENTITY, value bytea)");
const value = Buffer.from(ANSWER_BYTES);
const round = (key: string) =>
  Promise.all(plainNodes.map((node) => node.set(`${namespace}:${key}`, value, "PX", KEPT_MS)));
const commit = () =>
  client.query({
    name: "commit",
    text: "INSERT INTO commits (value) VALUES ($1)",
    values: [value],
  });

const once: Record<CoreWork, (turn: number) => Promise<unknown>> = {
  "new key": (turn) => expecting("executed", call(newKeys, `new-${turn}`)),
  replay: (turn) => expecting("replayed", call(keeping, keptKey(turn))),
  "replay elsewhere": (turn) => expecting("replayed", call(elsewhere, keptKey(turn))),
  GET: () => plainNode.getBuffer(`${namespace}:kept`),
  async "two rounds to three nodes"(turn) {
    await round(`first-${turn}`);
    await round(`second-${turn}`);
  },
  async "two rounds and two commits"(turn) {
    await round(`first-${turn}`);
    await commit();
    await commit();
    await round(`second-${turn}`);
  },
};

function keptKey(turn: number): string {
  return `kept-${turn % REPLAYED_KEYS}`;
}

async function expecting(expected: string, answered: Promise<string>): Promise<void> {
  const how = await answered;
  if (how !== expected) {
    throw new Error(`${how}, not ${expected}`);
  }
}

for (let key = 0; key < REPLAYED_KEYS; key += 1) {
  await call(keeping, keptKey(key));
}
await round("kept");

let turns = 0;
answering(async ({ work, seconds }: CoreQuestion): Promise<Measured> => {
  const timesMs: number[] = [];
  const startedAtMs = performance.now();
  let nowMs = startedAtMs;
  while (nowMs < startedAtMs + seconds * 1000) {
    turns += 1;
    await once[work](turns);
    const endedAtMs = performance.now();
    timesMs.push(endedAtMs - nowMs);
    nowMs = endedAtMs;
  }
  return {
    calls: timesMs.length,
    seconds: (nowMs - startedAtMs) / 1000,
    latency: latencyOf(timesMs),
  };
});
