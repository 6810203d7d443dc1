import { readJournalFile } from "../../src/audit/read-journal.js";
import type { Effect } from "../../src/gen/payonce/sandbox/v1/sandbox_pb.js";

/** What the processor has really done, read from its own file, however it is harmed. */
export interface Journal {
  /** Reads what has come since. */
  refresh(): Promise<void>;
  readonly effects: readonly Effect[];
  effectsOf(processorKey: string): readonly Effect[];
}

export function openJournal(path: string): Journal {
  const effects: Effect[] = [];
  const byKey = new Map<string, Effect[]>();
  let refreshing = Promise.resolve();

  async function refresh(): Promise<void> {
    for (const effect of await readJournalFile(path, BigInt(effects.length))) {
      effects.push(effect);
      byKey.set(effect.processorKey, [...(byKey.get(effect.processorKey) ?? []), effect]);
    }
  }

  return {
    effects,
    effectsOf: (processorKey) => byKey.get(processorKey) ?? [],
    refresh() {
      refreshing = refreshing.then(refresh);
      return refreshing;
    },
  };
}
