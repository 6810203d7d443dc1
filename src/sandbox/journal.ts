import { open } from "node:fs/promises";
import { join } from "node:path";
import type { Effect } from "../gen/payonce/sandbox/v1/sandbox_pb.js";
import { createGroupWriter } from "./group-writer.js";
import { declineFromLine, declineToLine, effectFromLine, effectToLine } from "./journal-lines.js";
import { openLineFile } from "./line-file.js";
import type { DeclinedRequest, Verdict } from "./verdict.js";

/** Keeps verdicts. */
export interface Journal {
  /** Returns true if one more verdict may wait to be written. */
  hasRoom(): boolean;
  /** Resolves once the verdict, and every one before it, is on disk. */
  append(verdict: Verdict): Promise<void>;
}

/** The content of a journal when it was opened, in the order it was written. */
export interface History {
  readonly effects: readonly Effect[];
  readonly declines: readonly DeclinedRequest[];
}

export interface OpenJournal {
  readonly journal: Journal;
  readonly history: History;
  /** Resolves once nothing is being written. */
  settled(): Promise<void>;
  /** Waits for what is being written. */
  close(): Promise<void>;
}

// Far more than the concurrent calls of any test, and about 10 MB of memory.
const WAITING_LIMIT = 10_000;

/**
 * Opens `journal.jsonl` (effects) and `declines.jsonl` in a directory that
 * exists, and creates what is missing.
 *
 * @throws naming the file and the line that is malformed.
 */
export async function openJournal(
  dataDir: string,
  log: (line: string) => void,
): Promise<OpenJournal> {
  const effects: Effect[] = [];
  const declines: DeclinedRequest[] = [];
  const effectFile = await openLineFile({
    path: join(dataDir, "journal.jsonl"),
    onLine: (line) => effects.push(effectFromLine(line, BigInt(effects.length + 1))),
    log,
  });
  const declineFile = await openLineFile({
    path: join(dataDir, "declines.jsonl"),
    onLine: (line) => declines.push(declineFromLine(line)),
    log,
  }).catch(async (error) => {
    await effectFile.close();
    throw error;
  });
  await syncDirectory(dataDir);

  const writer = createGroupWriter<Verdict>({
    waitingLimit: WAITING_LIMIT,
    onFailure: (error) => log(error.message),
    async write(verdicts) {
      await effectFile.append(
        verdicts.flatMap((each) => (each.kind === "approved" ? [effectToLine(each.effect)] : [])),
      );
      // Second, because a decline may rest on an effect of the same group.
      await declineFile.append(
        verdicts.flatMap((each) => (each.kind === "declined" ? [declineToLine(each.decline)] : [])),
      );
    },
  });
  return {
    journal: writer,
    history: { effects, declines },
    settled: () => writer.settled(),
    async close() {
      await writer.settled();
      await effectFile.close();
      await declineFile.close();
    },
  };
}

/** A new file's name is on disk only once its directory is. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
