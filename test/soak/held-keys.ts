import {
  type Record as HeldRecord,
  RecordState,
} from "../../src/gen/payonce/idempotency/v1/inspection_pb.js";
import type { PaymentsClient } from "../support/payments/payments-client.js";
import { type Intent, nameOf } from "./intents.js";
import { LONG_ON_THE_WAY_MS, ON_THE_WAY_MS } from "./settings.js";
import type { Traffic } from "./traffic.js";

/** The most records that a page lists; far more than are held at once. */
const PAGE_SIZE = 1_000;

export interface HeldKey {
  readonly record: HeldRecord;
  readonly intent: Intent;
  /** Whether nothing can be on its way any more that was sent for it. */
  readonly isSettled: boolean;
}

/** The list of held keys, as an operator reads it again and again. */
export interface HeldKeys {
  read(client: PaymentsClient): Promise<readonly HeldKey[]>;
  /** Keys whose window was over, by their names. */
  readonly endedWindows: ReadonlySet<string>;
  /** From now on nothing is broken any more. */
  finish(): void;
}

export function createHeldKeys({
  traffic,
  onProblem,
}: {
  readonly traffic: Traffic;
  readonly onProblem: (problem: string) => void;
}): HeldKeys {
  const endedWindows = new Set<string>();
  /** When each was first seen, by its claim. Milliseconds. */
  const seenAtMs = new Map<string, number>();
  let wholeSinceMs = Number.POSITIVE_INFINITY;

  function isSettled({ idempotencyKey, fencingToken, claimTime }: HeldRecord): boolean {
    const nowMs = performance.now();
    const claim = `${idempotencyKey} ${fencingToken} ${claimTime?.seconds}`;
    const sinceMs = seenAtMs.get(claim) ?? nowMs;
    seenAtMs.set(claim, sinceMs);
    return (
      nowMs - sinceMs >= LONG_ON_THE_WAY_MS ||
      nowMs - Math.max(sinceMs, wholeSinceMs) >= ON_THE_WAY_MS
    );
  }

  return {
    endedWindows,

    async read(client) {
      const { response } = await client.listRecords({
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
        return [{ record, intent, isSettled: isSettled(record) }];
      });
    },

    finish() {
      wholeSinceMs = performance.now();
    },
  };
}
