import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Lab } from "../lab/lab.js";
import { startPaymentService } from "../lab/payment-service.js";
import { type Program, startProgram } from "../lab/program.js";
import type { OpenLoopDone, OpenLoopPlan } from "../load/open-loop.js";
import type { MeasuredLine, Table } from "../report/result.js";
import type { Study } from "../studies.js";

/** How long callers wait for an answer. Milliseconds. */
const DEADLINE_MS = 5_000;

/** Calls at once that use all of a process, and make none wait for long. */
const CALLERS = 64;

const FACTORS = [1, 2, 4, 8] as const;

/** Of the best goodput, at four times as many calls as can be done. */
const GOODPUT_FLOOR = 0.85;
const GOODPUT_FACTOR = 4;

/** What another tenant's attack may do to the slowest calls of one that behaves. */
const SLOWER_AT_MOST = 2;

/** Calls a second of a tenant that behaves. */
const BEHAVING_RATE = 20;

const TOKENS = { behaving: "token-behaving", attacking: "token-attacking" };

/** What is left of a service that gets more calls than it can answer, and of its other tenants. */
export const studyOverload: Study = async (lab, { rounds, seconds }) => {
  const { postgres, redis, dataDir, shutdown } = lab;
  const service = await startPaymentService({
    databaseUrl: await postgres.databases.create(),
    redisUrls: redis.urls,
    dataDir,
    env: { AUTH_TOKENS_FILE: await writeTokens(dataDir) },
  });
  shutdown.add(() => service.stop());
  const attackers = await startProgram<OpenLoopPlan, OpenLoopDone>("open-loop");
  shutdown.add(() => attackers.stop());
  const behaving = await startProgram<OpenLoopPlan, OpenLoopDone>("open-loop");
  shutdown.add(() => behaving.stop());
  const bench: Bench = { lab, target: service.grpcAddress, attackers, behaving, seconds };
  const best = await bestThroughput(bench);
  const bursts: Burst[] = [];
  const p99s: { readonly alone: number; readonly attacked: number }[] = [];
  for (let round = 0; round < rounds; round += 1) {
    for (const isRetrying of [false, true]) {
      for (const factor of FACTORS) {
        bursts.push(await burst(bench, { factor, isRetrying, rate: best * factor }));
      }
    }
    const alone = (await behave(bench)).latency.p99Ms;
    const [attacked] = await Promise.all([
      behave(bench),
      burst(bench, { factor: GOODPUT_FACTOR, isRetrying: false, rate: best * GOODPUT_FACTOR }),
    ]);
    p99s.push({ alone, attacked: attacked.latency.p99Ms });
  }
  return {
    rows: [goodputRow(bursts), tenantsRow(p99s)],
    tables: [byFactor(bursts, best), byTenant(p99s)],
  };
};

interface Bench {
  readonly lab: Lab;
  readonly target: string;
  readonly attackers: Program<OpenLoopPlan, OpenLoopDone>;
  readonly behaving: Program<OpenLoopPlan, OpenLoopDone>;
  readonly seconds: number;
}

interface Burst extends OpenLoopDone {
  readonly factor: number;
  readonly isRetrying: boolean;
  /** From the end of the burst to the answer to a call that is made then. Milliseconds. */
  readonly nextCallMs: number;
}

let prefixes = 0;
const nextPrefix = () => `overload-${prefixes++}`;

/** How many calls a second are answered, of callers that wait for their answers. */
async function bestThroughput({ lab, target, seconds }: Bench): Promise<number> {
  const plan = {
    targets: [target],
    token: TOKENS.attacking,
    traffic: { kind: "new keys" } as const,
    callers: CALLERS,
  };
  await lab.generator.ask({ ...plan, prefix: nextPrefix(), seconds: 5 });
  const answered = await lab.generator.ask({ ...plan, prefix: nextPrefix(), seconds });
  return answered.calls / answered.seconds;
}

async function burst(
  { attackers, behaving, target, seconds }: Bench,
  load: Pick<Burst, "factor" | "isRetrying"> & { readonly rate: number },
): Promise<Burst> {
  const { factor, isRetrying, rate } = load;
  const plan = { target, deadlineMs: DEADLINE_MS, token: TOKENS.attacking };
  const done = await attackers.ask({ ...plan, prefix: nextPrefix(), rate, seconds, isRetrying });
  const next = await behaving.ask({
    ...{ ...plan, prefix: nextPrefix(), deadlineMs: 4 * DEADLINE_MS },
    ...{ rate: 1, seconds: 1, isRetrying: true },
  });
  return { ...done, factor, isRetrying, nextCallMs: next.latency.maxMs };
}

function behave({ behaving, target, seconds }: Bench): Promise<OpenLoopDone> {
  return behaving.ask({
    ...{ target, deadlineMs: DEADLINE_MS, token: TOKENS.behaving, prefix: nextPrefix() },
    ...{ rate: BEHAVING_RATE, seconds, isRetrying: false },
  });
}

const goodputOf = ({ good, seconds }: OpenLoopDone) => good / seconds;

function goodputRow(bursts: readonly Burst[]): MeasuredLine {
  const at = (factor: number) =>
    bursts.filter((done) => done.factor === factor && !done.isRetrying).map(goodputOf);
  const best = at(1);
  return {
    group: "overload",
    figure: "throughput",
    measured: `answers in time, at ${GOODPUT_FACTOR} times as many calls`,
    baseline: "as many calls as can be answered",
    atOnce: CALLERS,
    floor: GOODPUT_FLOOR,
    goal: 1,
    ratios: at(GOODPUT_FACTOR).map((goodput, round) => goodput / (best[round] ?? Number.NaN)),
  };
}

function tenantsRow(p99s: readonly { alone: number; attacked: number }[]): MeasuredLine {
  return {
    group: "overload",
    figure: "latency",
    measured: "p99 of a tenant beside one that attacks",
    baseline: "p99 of that tenant alone",
    atOnce: 1,
    floor: SLOWER_AT_MOST,
    goal: 1,
    ratios: p99s.map(({ alone, attacked }) => attacked / alone),
  };
}

function byFactor(bursts: readonly Burst[], best: number): Table {
  return {
    title: `Calls at their own pace, a deadline of ${DEADLINE_MS / 1_000} s, ${best.toFixed(0)} calls/s at 1x`,
    lines: bursts.map((done) => ({
      load: `${done.factor}x${done.isRetrying ? ", retrying" : ""}`,
      sent: done.sent,
      "in time, calls/s": goodputOf(done),
      "p50 ms": done.latency.p50Ms,
      "p99 ms": done.latency.p99Ms,
      refused: done.codes.RESOURCE_EXHAUSTED ?? 0,
      "too late": done.codes.DEADLINE_EXCEEDED ?? 0,
      "next call ms": done.nextCallMs,
    })),
  };
}

function byTenant(p99s: readonly { alone: number; attacked: number }[]): Table {
  return {
    title: `p99 of ${BEHAVING_RATE} calls/s, ms`,
    lines: p99s.map(({ alone, attacked }) => ({ alone, "beside an attack": attacked })),
  };
}

async function writeTokens(dataDir: string): Promise<string> {
  const file = join(dataDir, "overload-tokens.json");
  const entries = Object.entries(TOKENS).map(([tenant, token]) => ({
    sha256: createHash("sha256").update(token).digest("hex"),
    tenant,
    role: "caller",
  }));
  await writeFile(file, JSON.stringify(entries));
  return file;
}
