import { setTimeout as sleep } from "node:timers/promises";
import {
  type Record as HeldRecord,
  RecordState,
} from "../../src/gen/payonce/idempotency/v1/inspection_pb.js";
import { createRandom } from "../simulation/random.js";
import { type ResolutionKind, resolve } from "../support/operator.js";
import { openPayments } from "../support/payments-client.js";
import { type Intent, nameOf } from "./intents.js";
import type { Journal } from "./journal.js";
import { createLock } from "./lock.js";
import { LONG_ON_THE_WAY_MS, ON_THE_WAY_MS } from "./settings.js";
import type { Traffic } from "./traffic.js";
import { createWords, type NextCall } from "./words.js";

/** How often the list of held keys is looked at. Milliseconds. */
const INTERVAL_MS = 1_000;

/** Held keys that are ended at once: a few, as people would. */
const AT_ONCE = 8;

/** The most records that a page lists; far more than are held at once. */
const PAGE_SIZE = 1_000;

/** Until a held key is ended, however often a service dies meanwhile. Milliseconds. */
const END_LIMIT_MS = 90_000;
const POLL_MS = 250;

/** Ends held keys as the processor's journal says, each in one of the ways that are true. */
export interface Operator {
  /** How often each resolution was followed by each call. */
  readonly resolutions: ReadonlyMap<string, number>;
  /** Keys whose window was over, by their names. */
  readonly endedWindows: ReadonlySet<string>;
  /** Runs with the operator away. */
  withoutOperator<Result>(work: () => Promise<Result>): Promise<Result>;
  /** Ends the held keys that the processor has an effect of: nothing can be on its way for them. */
  endDone(): Promise<void>;
  /** From now on no key is to be executed again, and nothing is broken any more. */
  finish(): void;
  stop(): Promise<void>;
}

export interface OperatorOptions {
  readonly targets: readonly string[];
  readonly traffic: Traffic;
  readonly journal: Journal;
  readonly seed: number;
  readonly onProblem: (problem: string) => void;
}

export function startOperator(options: OperatorOptions): Operator {
  const { traffic, journal, seed, onProblem } = options;
  const clients = options.targets.map((target) => openPayments(target));
  const random = createRandom(seed + 0x0e);
  const lock = createLock();
  const words = createWords({ random, journal });
  const endedWindows = new Set<string>();
  /** When each held record was first seen, by its fencing token. Milliseconds. */
  const seenAtMs = new Map<string, number>();
  let waitMs = LONG_ON_THE_WAY_MS;
  let isStopped = false;

  const client = () => random.pick(clients);

  async function listHeld(): Promise<readonly (readonly [HeldRecord, Intent])[]> {
    const { response } = await client().listRecords({
      state: RecordState.HELD,
      pageSize: PAGE_SIZE,
    });
    return (response?.records ?? []).flatMap((record) => {
      const intent = traffic.find(record.operation, record.idempotencyKey);
      if (intent === undefined) {
        onProblem(`a key is held that nobody has sent: ${record.idempotencyKey}`);
        return [];
      }
      if (record.unknownReason.includes("may have forgotten its key")) {
        endedWindows.add(nameOf(intent));
      }
      return [[record, intent] as const];
    });
  }

  async function look(): Promise<void> {
    const nowMs = performance.now();
    const held = await listHeld();
    const ready = held.filter(([record]) => {
      const id = `${record.idempotencyKey} ${record.fencingToken} ${record.claimTime?.seconds}`;
      const since = seenAtMs.get(id) ?? nowMs;
      seenAtMs.set(id, since);
      return nowMs - since >= waitMs;
    });
    await Promise.all(ready.slice(0, AT_ONCE).map(([record, intent]) => end(record, intent)));
  }

  async function end(held: HeldRecord, intent: Intent): Promise<void> {
    await journal.refresh();
    const word = words.draw(intent);
    const { kind, next } = word;
    if (next !== "the same request") {
      intent.isGivenUp = true;
      await until(async () => intent.asking === 0);
    }
    if (await isEnded(held, intent, kind)) {
      words.note(intent, word);
      await follow(intent, next);
    }
  }

  /** Says it until it is so. */
  async function isEnded(held: HeldRecord, intent: Intent, kind: ResolutionKind): Promise<boolean> {
    const { operation, idempotencyKey } = held;
    let message = "";
    const ended = await until(async () => {
      const service = client();
      const { response } = await service.getRecord({ name: { operation, idempotencyKey } });
      const record = response?.record;
      if (record?.state === RecordState.HELD) {
        const resolved = await resolve(service, record, kind);
        message = resolved.message;
        return resolved.response !== undefined;
      }
      return record?.state === RecordState.COMPLETED || record?.state === RecordState.RELEASED;
    });
    if (!ended) {
      onProblem(`${nameOf(intent)}: not ended with ${kind}: ${message}`);
    }
    return ended;
  }

  async function follow(intent: Intent, next: NextCall): Promise<void> {
    switch (next) {
      case "the same request":
        if (intent.asking === 0) {
          traffic.askAgain(intent);
        }
        return;
      case "another request": {
        let reason = "";
        await until(async () => {
          const asked = await traffic.callers.askOnce(intent.other, random);
          reason = asked.refusal?.reason ?? `code ${asked.result.code}`;
          return asked.isDefinite;
        });
        if (reason !== "IDEMPOTENCY_KEY_REUSED") {
          onProblem(`${nameOf(intent)}: another request was answered with ${reason}`);
        }
        return;
      }
      case "another operation":
        return traffic.follow(intent);
      case "nobody":
        return;
    }
  }

  async function run(): Promise<void> {
    while (!isStopped) {
      await sleep(INTERVAL_MS);
      await lock.exclusively(look);
    }
  }

  const running = run();
  return {
    resolutions: words.said,
    endedWindows,
    withoutOperator: (work) => lock.exclusively(work),
    async endDone() {
      await journal.refresh();
      const done = (await listHeld()).filter(
        ([, { processorKey }]) => journal.effectsOf(processorKey).length > 0,
      );
      await Promise.all(
        done.slice(0, AT_ONCE).map(async ([record, intent]) => {
          if (await isEnded(record, intent, "response")) {
            words.note(intent, { kind: "response", next: "the same request" });
          }
        }),
      );
    },
    finish() {
      words.finish();
      waitMs = ON_THE_WAY_MS;
    },
    async stop() {
      isStopped = true;
      await running;
      for (const each of clients) {
        each.close();
      }
    },
  };
}

/** Whether the condition came to hold within the limit. */
async function until(condition: () => Promise<boolean>): Promise<boolean> {
  const giveUpAtMs = performance.now() + END_LIMIT_MS;
  while (!(await condition())) {
    if (performance.now() > giveUpAtMs) {
      return false;
    }
    await sleep(POLL_MS);
  }
  return true;
}
