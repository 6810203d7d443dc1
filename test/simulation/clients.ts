import type { Random } from "../support/random.js";
import { type Answer, readAnswer } from "./answers.js";
import { nameOf, type SentCall } from "./calls.js";
import type { Caller, Network } from "./network.js";
import type { Scheduler } from "./scheduler.js";
import type { Service } from "./service.js";

/** One call as its client saw it. Without an answer its client gave up, or waits still. */
export interface HistoryEntry {
  readonly call: SentCall;
  answer?: Answer;
  answeredAtMs?: number;
}

export interface ClientPlan {
  readonly name: string;
  readonly scope: SentCall["scope"];
  readonly request: string;
  readonly startAtMs: number;
  /** After so many calls it gives up. */
  readonly calls: number;
  readonly deadlineMs: number;
  /** Whether it comes back with a call that was not executed. */
  readonly isPatient?: boolean;
  /** Sends a second call if the first has no answer by then. */
  readonly hedgeAfterMs?: number;
}

export interface ClientOptions {
  readonly scheduler: Scheduler;
  readonly network: Network;
  readonly random: Random;
  readonly serviceAt: (place: number) => Service;
  readonly places: number;
  readonly history: HistoryEntry[];
}

const USUAL_DELAY_MS = 200;

/**
 * Calls until it has a definite answer or gives up, as the contract tells
 * clients: the same key and request, after the delay that the answer names.
 * Resolves with the definite answer.
 */
export async function runClient(
  options: ClientOptions,
  plan: ClientPlan,
): Promise<Answer | undefined> {
  const { scheduler, random } = options;
  const self: Caller = {
    name: plan.name,
    clock: { nowMs: scheduler.nowMs, setTimer: scheduler.after },
    accept: (callback) => callback(),
    maySend: () => true,
  };
  const sleep = (delayMs: number) =>
    new Promise<undefined>((resolve) => scheduler.after(delayMs, () => resolve(undefined)));

  const isDone = (answer: Answer | undefined) =>
    isDefinite(answer) && !(plan.isPatient === true && answer?.meaning === "not_executed");

  await sleep(plan.startAtMs);
  for (let calls = 1; calls <= plan.calls; calls += 1) {
    const sent = send(options, plan, self, `${plan.name}.${calls}`);
    const { hedgeAfterMs } = plan;
    const answer =
      hedgeAfterMs === undefined
        ? await sent
        : await firstDefinite(
            sent,
            Promise.race([sleep(hedgeAfterMs), sent]).then((early) =>
              isDefinite(early) ? early : send(options, plan, self, `${plan.name}.${calls}h`),
            ),
          );
    if (isDone(answer)) {
      return answer;
    }
    await sleep((answer?.retryDelayMs ?? USUAL_DELAY_MS) + random.integer(1, USUAL_DELAY_MS));
  }
  return undefined;
}

/** Whether there is nothing to come back for. */
function isDefinite(answer: Answer | undefined): boolean {
  return (
    answer !== undefined &&
    answer.retryDelayMs === undefined &&
    !["indeterminate", "not_asked"].includes(answer.meaning)
  );
}

async function firstDefinite(
  one: Promise<Answer | undefined>,
  other: Promise<Answer | undefined>,
): Promise<Answer | undefined> {
  const first = await Promise.race([one, other]);
  if (isDefinite(first)) {
    return first;
  }
  const [a, b] = await Promise.all([one, other]);
  return isDefinite(a) ? a : b;
}

/** One call to one of the processes. Undefined if no answer came in time. */
async function send(
  { scheduler, network, random, serviceAt, places, history }: ClientOptions,
  { scope, request, deadlineMs }: ClientPlan,
  from: Caller,
  id: string,
): Promise<Answer | undefined> {
  const call: SentCall = { id, scope, request, sentAtMs: scheduler.nowMs(), deadlineMs };
  const entry: HistoryEntry = { call };
  history.push(entry);
  const { host, serve } = serviceAt(random.integer(0, places - 1));
  try {
    const reply = await network.call({
      from,
      to: host,
      what: `${id} (${request})`,
      about: nameOf(scope),
      mayBeRepeated: true,
      timeoutMs: deadlineMs,
      execute: () => serve(call),
      describe: (answer) => {
        const { meaning, content } = readAnswer(answer);
        return `${meaning} ${meaning === "final" ? content.slice(0, 80) : ""}`;
      },
    });
    entry.answer = readAnswer(reply);
    entry.answeredAtMs = scheduler.nowMs();
    return entry.answer;
  } catch {
    return undefined;
  }
}
