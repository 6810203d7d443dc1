import { setTimeout as sleep } from "node:timers/promises";
import { type Client, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { KEY_METADATA } from "../../src/idempotency/key.js";
import { asIs, CREATE_PAYMENT, createClient, encodeRequest } from "./client.js";
import { type Latency, latencyOf } from "./plan.js";

/** Calls that come at their own pace, whether the ones before are answered or not. */
export interface OpenLoopPlan {
  readonly target: string;
  readonly prefix: string;
  /** Calls a second. Each has a key of its own. */
  readonly rate: number;
  readonly seconds: number;
  /** How long a caller waits for its answer, all of its attempts together. Milliseconds. */
  readonly deadlineMs: number;
  /** Whether callers come again when they are told to. */
  readonly isRetrying: boolean;
  /** Whose calls they are, where the service wants to know. */
  readonly token?: string;
}

export interface OpenLoopDone {
  readonly sent: number;
  /** From the first call to the last that was sent. */
  readonly seconds: number;
  /** Those that were answered with OK in time. */
  readonly good: number;
  readonly latency: Latency;
  /** How many attempts ended with each code. */
  readonly codes: Readonly<Record<string, number>>;
}

/** A few connections, as of a few callers. */
const CHANNELS = 4;

/** How often calls are sent that are due. Milliseconds. */
const TICK_MS = 2;

/** Where a server that can be asked again names no delay. Milliseconds. */
const RETRY_DELAY_MS = 200;

const RETRYABLE: ReadonlySet<status> = new Set([
  status.ABORTED,
  status.RESOURCE_EXHAUSTED,
  status.UNAVAILABLE,
]);

export async function runOpenLoop(plan: OpenLoopPlan): Promise<OpenLoopDone> {
  const { rate, seconds } = plan;
  const clients = Array.from({ length: CHANNELS }, () => createClient(plan.target));
  const request = encodeRequest();
  const timesMs: number[] = [];
  const codes = new Map<string, number>();
  const open: Promise<void>[] = [];

  async function call(client: Client, key: string): Promise<void> {
    const metadata = new Metadata();
    metadata.set(KEY_METADATA, key);
    if (plan.token !== undefined) {
      metadata.set("authorization", `Bearer ${plan.token}`);
    }
    const sentAtMs = performance.now();
    const deadline = Date.now() + plan.deadlineMs;
    for (;;) {
      const error = await send(client, { metadata, request, deadline });
      const code = error?.code ?? status.OK;
      const name = status[code];
      codes.set(name, (codes.get(name) ?? 0) + 1);
      if (error === null) {
        timesMs.push(performance.now() - sentAtMs);
        return;
      }
      const delayMs = Number(error.metadata.get("grpc-retry-pushback-ms")[0] ?? RETRY_DELAY_MS);
      if (!plan.isRetrying || !RETRYABLE.has(code) || Date.now() + delayMs > deadline) {
        return;
      }
      await sleep(delayMs * (1 + Math.random()));
    }
  }

  const startedAtMs = performance.now();
  const due = () => Math.min(seconds, (performance.now() - startedAtMs) / 1_000) * rate;
  let sent = 0;
  while (sent < Math.floor(seconds * rate)) {
    for (; sent < due(); sent += 1) {
      const client = clients[sent % clients.length];
      if (client !== undefined) {
        open.push(call(client, `${plan.prefix}-${sent}`));
      }
    }
    await sleep(TICK_MS);
  }
  const sentSeconds = (performance.now() - startedAtMs) / 1_000;
  await Promise.all(open);
  for (const client of clients) {
    client.close();
  }
  return {
    sent,
    seconds: sentSeconds,
    good: timesMs.length,
    latency: latencyOf(timesMs),
    codes: Object.fromEntries(codes),
  };
}

function send(
  client: Client,
  call: { readonly metadata: Metadata; readonly request: Buffer; readonly deadline: number },
): Promise<ServiceError | null> {
  const { metadata, request, deadline } = call;
  return new Promise((resolve) => {
    client.makeUnaryRequest(CREATE_PAYMENT, asIs, asIs, request, metadata, { deadline }, resolve);
  });
}
