import { setTimeout as sleep } from "node:timers/promises";
import type { ServiceProcess } from "../../test/support/service/service-process.js";
import { countPayments } from "../lab/databases.js";
import type { Lab } from "../lab/lab.js";
import { residentBytes } from "../lab/memory.js";
import { executionsIn, readMetrics } from "../lab/metrics.js";
import { startPaymentService } from "../lab/payment-service.js";
import type { Sizes } from "../options.js";
import { summaryOf } from "../report/figures.js";
import type { GroupResult, Table } from "../report/result.js";
import { MEBIBYTE, memoryLine } from "./memory-line.js";

const CALLERS = 128;
const TRAFFIC = { kind: "mixed", duplicates: 0.2 } as const;

/** The generator answers after each plan, and is given up if it does not within minutes. */
const PLAN_SECONDS = 20;

const SAMPLE_INTERVAL_MS = 5_000;

/** In the first fifth a process still grows to the size that its load needs. */
const FIFTHS = 5;

/** Of the last fifth's, by the second's. */
const GROWTH_AT_MOST = 1.1;

/** Of a service, some time after the load began. */
interface Sample {
  readonly minutes: number;
  /** Bytes. */
  readonly resident: number;
  readonly heapUsed: number;
  readonly external: number;
  /** Since its start. */
  readonly executions: number;
}

/** Whether the whole service needs more memory the longer it works. */
export async function studyLoadedService(lab: Lab, { minutes }: Sizes): Promise<GroupResult> {
  const { redis, postgres, dataDir, shutdown } = lab;
  const databaseUrl = await postgres.databases.create();
  const service = await startPaymentService({ databaseUrl, redisUrls: redis.urls, dataDir });
  shutdown.add(() => service.stop());
  const paymentsBefore = await countPayments(databaseUrl);
  const untilMs = performance.now() + minutes * 60_000;
  const [newKeys, samples] = await Promise.all([
    load(lab, service, untilMs),
    watch(service, untilMs),
  ]);
  const payments = (await countPayments(databaseUrl)) - paymentsBefore;
  if (payments !== newKeys) {
    throw new Error(`${newKeys} new keys made ${payments} payments`);
  }
  const row = memoryLine({
    measured: "RSS of a service, last fifth of the load",
    baseline: "second fifth",
    atOnce: CALLERS,
    floor: GROWTH_AT_MOST,
    ratios: [residentIn(samples, 5) / residentIn(samples, 2)],
  });
  return { rows: [row], tables: [byMinute(samples)] };
}

/** Calls the service, again and again, and returns how many keys were new. */
async function load({ generator }: Lab, service: ServiceProcess, untilMs: number): Promise<number> {
  let newKeys = 0;
  for (let plans = 0; performance.now() < untilMs; plans += 1) {
    const answered = await generator.ask({
      targets: [service.grpcAddress],
      prefix: `load-${plans}`,
      traffic: TRAFFIC,
      callers: CALLERS,
      seconds: Math.min(PLAN_SECONDS, (untilMs - performance.now()) / 1_000),
    });
    newKeys += answered.newKeys;
  }
  return newKeys;
}

async function watch(service: ServiceProcess, untilMs: number): Promise<readonly Sample[]> {
  const startedAtMs = performance.now();
  const samples: Sample[] = [];
  for (let atMs = startedAtMs; atMs < untilMs; atMs += SAMPLE_INTERVAL_MS) {
    await sleep(Math.max(0, atMs - performance.now()));
    const metrics = await readMetrics(service.httpAddress);
    samples.push({
      minutes: (performance.now() - startedAtMs) / 60_000,
      resident: residentBytes(service.pid),
      heapUsed: metrics.get("nodejs_heap_size_used_bytes") ?? Number.NaN,
      external: metrics.get("nodejs_external_memory_bytes") ?? Number.NaN,
      executions: executionsIn(metrics),
    });
  }
  return samples;
}

/** The median of one fifth of the samples, from 1 on. */
function residentIn(samples: readonly Sample[], fifth: number): number {
  const at = (end: number) => Math.floor((samples.length * end) / FIFTHS);
  return summaryOf(samples.slice(at(fifth - 1), at(fifth)).map(({ resident }) => resident)).median;
}

function byMinute(samples: readonly Sample[]): Table {
  const minutes = new Set(samples.map((sample) => Math.floor(sample.minutes)));
  const lines = [...minutes].map((minute) => {
    const within = samples.filter((sample) => Math.floor(sample.minutes) === minute);
    const median = (of: (sample: Sample) => number) => summaryOf(within.map(of)).median / MEBIBYTE;
    return {
      minute: minute + 1,
      RSS: median(({ resident }) => resident),
      heap: median(({ heapUsed }) => heapUsed),
      external: median(({ external }) => external),
      "payments so far": Math.max(...within.map(({ executions }) => executions)),
    };
  });
  const share = `${TRAFFIC.duplicates * 100} % duplicates`;
  return { title: `A service with ${CALLERS} calls at once, ${share}; medians in MiB`, lines };
}
