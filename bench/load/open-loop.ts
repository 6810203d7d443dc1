import {
  type ClientHttp2Session,
  connect,
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { status } from "@grpc/grpc-js";
import { KEY_METADATA } from "../../src/idempotency/request/key.js";
import { framed } from "../../test/support/calls/hostile-grpc.js";
import { CREATE_PAYMENT, encodeRequest } from "./client.js";
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
const SESSIONS = 4;

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
  const sessions = createSessions(plan.target);
  const body = framed(encodeRequest());
  const timesMs: number[] = [];
  const codes = new Map<string, number>();
  const open: Promise<void>[] = [];

  async function call(session: () => ClientHttp2Session, key: string): Promise<void> {
    const headers = {
      ":method": "POST",
      ":path": CREATE_PAYMENT,
      "content-type": "application/grpc",
      te: "trailers",
      [KEY_METADATA]: key,
      ...(plan.token === undefined ? {} : { authorization: `Bearer ${plan.token}` }),
    };
    const sentAtMs = performance.now();
    const deadlineMs = sentAtMs + plan.deadlineMs;
    for (;;) {
      const leftMs = Math.ceil(deadlineMs - performance.now());
      if (leftMs <= 0) {
        return;
      }
      const ended = await send(session(), { headers, body, leftMs });
      const name = status[ended.code] ?? String(ended.code);
      codes.set(name, (codes.get(name) ?? 0) + 1);
      if (ended.code === status.OK) {
        timesMs.push(performance.now() - sentAtMs);
        return;
      }
      const { delayMs = RETRY_DELAY_MS } = ended;
      const isOver = performance.now() + delayMs > deadlineMs;
      if (!plan.isRetrying || !RETRYABLE.has(ended.code) || isOver) {
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
      const number = sent % SESSIONS;
      open.push(call(() => sessions.get(number), `${plan.prefix}-${sent}`));
    }
    await sleep(TICK_MS);
  }
  const sentSeconds = (performance.now() - startedAtMs) / 1_000;
  await Promise.all(open);
  sessions.close();
  return {
    sent,
    seconds: sentSeconds,
    good: timesMs.length,
    latency: latencyOf(timesMs),
    codes: Object.fromEntries(codes),
  };
}

/** Connections by number, each made anew once it is closed: a server closes those that reset too much. */
function createSessions(target: string) {
  const sessions = new Map<number, ClientHttp2Session>();
  return {
    get(number: number): ClientHttp2Session {
      const open = sessions.get(number);
      if (open !== undefined && !open.closed && !open.destroyed) {
        return open;
      }
      const session = connect(`http://${target}`);
      session.on("error", () => {}); // told by the ends of its streams
      sessions.set(number, session);
      return session;
    },
    close() {
      for (const session of sessions.values()) {
        session.close();
      }
    },
  };
}

interface Ended {
  readonly code: status;
  /** When to come again, where the server says so. */
  readonly delayMs?: number;
}

/** One attempt, over HTTP/2 itself: a client of grpc-js costs three times as much. */
function send(
  session: ClientHttp2Session,
  call: {
    readonly headers: OutgoingHttpHeaders;
    readonly body: Buffer;
    readonly leftMs: number;
  },
): Promise<Ended> {
  return new Promise((resolve) => {
    const stream = session.request({ ...call.headers, "grpc-timeout": `${call.leftMs}m` });
    let ended: Ended = { code: status.UNAVAILABLE };
    const read = (headers: IncomingHttpHeaders) => {
      const code = headers["grpc-status"];
      const pushback = headers["grpc-retry-pushback-ms"];
      if (code !== undefined) {
        ended = {
          code: Number(code),
          ...(pushback === undefined ? {} : { delayMs: Number(pushback) }),
        };
      }
    };
    const timer = setTimeout(() => {
      ended = { code: status.DEADLINE_EXCEEDED };
      stream.close(constants.NGHTTP2_CANCEL);
    }, call.leftMs);
    stream.on("response", read);
    stream.on("trailers", read);
    stream.on("error", () => {}); // a reset: told by its close
    stream.on("close", () => {
      clearTimeout(timer);
      resolve(ended);
    });
    stream.resume();
    stream.end(call.body);
  });
}
