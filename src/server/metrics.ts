import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { ExecutorEvent } from "../idempotency/execution/events.js";
import type { ReaperEvent } from "../idempotency/recovery/reaper.js";
import type { RecoveryEvent } from "../idempotency/recovery/recovery.js";
import type { WebhookBacklog } from "../payments/postgres/webhook-letters.js";
import type { WebhookEvent } from "../payments/webhooks/event.js";
import type { RedisGateEvent } from "../stores/redis/index.js";

/** The buckets of durations, from a replay out of Redis (2 ms) to the longest attempt (a minute). Seconds. */
const DURATION_BUCKETS = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

export interface Metrics {
  readonly registry: Registry;
  onExecutorEvent(event: ExecutorEvent): void;
  onGateEvent(event: RedisGateEvent): void;
  onRecoveryEvent(event: RecoveryEvent): void;
  onReaperEvent(event: ReaperEvent): void;
  onShed(): void;
  onWebhookEvent(event: WebhookEvent): void;
  /** Shows how long events are held back. Milliseconds. */
  watchEvents(delayedMs: () => number): void;
  /** Shows what is not delivered. */
  watchWebhooks(backlog: () => WebhookBacklog): void;
}

export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const calls = new Counter({
    name: "payonce_calls_total",
    help: "Calls under an idempotency key, by what became of them",
    labelNames: ["operation", "result"],
    registers: [registry],
  });
  const durations = new Histogram({
    name: "payonce_execution_seconds",
    help: "How long attempts took, from the claim to the durable outcome",
    labelNames: ["operation"],
    buckets: DURATION_BUCKETS,
    registers: [registry],
  });
  const gate = new Counter({
    name: "payonce_gate_decisions_total",
    help: "What the Redis gate said; recalled means that the process had the answer, stepped_aside that no quorum answered",
    labelNames: ["decision"],
    registers: [registry],
  });
  const recovered = new Counter({
    name: "payonce_recovery_total",
    help: "Calls that recovery ran again, and its failures to reach the store of record",
    labelNames: ["result"],
    registers: [registry],
  });
  const reaped = new Counter({
    name: "payonce_reaped_total",
    help: "Answers past their retention that were shrunk to tombstones",
    registers: [registry],
  });
  const shed = new Counter({
    name: "payonce_shed_total",
    help: "Calls that were refused for overload before they were read",
    registers: [registry],
  });
  let delayedMs = () => 0;
  new Gauge({
    name: "payonce_events_delayed_seconds",
    help: "How long the oldest transaction of the database server that has written holds events back",
    registers: [registry],
    collect() {
      this.set(delayedMs() / 1_000);
    },
  });
  const webhooks = new Counter({
    name: "payonce_webhooks_total",
    help: "Attempts to deliver an event to an endpoint, by what became of them",
    labelNames: ["result"],
    registers: [registry],
  });
  let backlog = (): WebhookBacklog => ({ pending: 0, oldestMs: 0, dead: 0 });
  const backlogGauge = (name: string, help: string, read: (of: WebhookBacklog) => number) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(read(backlog()));
      },
    });
  backlogGauge(
    "payonce_webhooks_pending",
    "Payments with events that an endpoint has yet to get, in the whole database",
    ({ pending }) => pending,
  );
  backlogGauge(
    "payonce_webhooks_oldest_seconds",
    "The age of the oldest event that an endpoint has yet to get",
    ({ oldestMs }) => oldestMs / 1_000,
  );
  backlogGauge(
    "payonce_webhooks_dead",
    "Events that were given up, in the whole database",
    ({ dead }) => dead,
  );
  return {
    registry,
    onShed: () => shed.inc(),
    watchEvents(source) {
      delayedMs = source;
    },
    watchWebhooks(source) {
      backlog = source;
    },
    onWebhookEvent({ type }) {
      if (type === "delivered" || type === "failed" || type === "dead") {
        webhooks.inc({ result: type });
      }
    },
    onExecutorEvent(event) {
      const { operation } = event.scope;
      calls.inc({ operation, result: event.type === "refused" ? event.reason : event.type });
      if (event.type === "executed") {
        durations.observe({ operation }, event.durationMs / 1000);
      }
    },
    onGateEvent: ({ type }) => gate.inc({ decision: type }),
    onRecoveryEvent: ({ type }) => recovered.inc({ result: type }),
    onReaperEvent(event) {
      if (event.type === "reaped") {
        reaped.inc(event.count);
      }
    },
  };
}
