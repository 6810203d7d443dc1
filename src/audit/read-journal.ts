import { createReadStream } from "node:fs";
import type { Client } from "@grpc/grpc-js";
import { type Effect, SandboxProcessorService } from "../gen/payonce/sandbox/v1/sandbox_pb.js";
import { callUnary } from "../grpc/client.js";
import { effectFromLine } from "../sandbox/journal-lines.js";

const PAGE_SIZE = 10_000;
const CALL_TIMEOUT_MS = 30_000;

export interface Journal {
  readonly effects: readonly Effect[];
  /** The number of calls for an effect that the processor has got since it started. */
  readonly calls: bigint;
}

/**
 * Reads the processor's own journal: what really happened.
 * @throws if the processor cannot be asked.
 */
export async function readJournal(processor: Client, afterSequence = 0n): Promise<Journal> {
  const effects: Effect[] = [];
  for (;;) {
    const { response, message } = await callUnary(processor, {
      method: SandboxProcessorService.method.listEffects,
      request: { afterSequence: effects.at(-1)?.sequence ?? afterSequence, pageSize: PAGE_SIZE },
      timeoutMs: CALL_TIMEOUT_MS,
    });
    if (response === undefined) {
      throw new Error(`the processor's journal cannot be read: ${message}`);
    }
    effects.push(...response.effects);
    if (response.effects.length < PAGE_SIZE) {
      return { effects, calls: response.calls };
    }
  }
}

/**
 * Reads the same from the journal's file, also while it is being written: a
 * last line without its end is not there yet.
 * @throws if the file cannot be read, or names a line that is no effect.
 */
export async function readJournalFile(path: string, afterSequence = 0n): Promise<Effect[]> {
  const effects: Effect[] = [];
  let sequence = 0n;
  for await (const line of finishedLines(path)) {
    sequence += 1n;
    if (sequence > afterSequence) {
      effects.push(effectOfLine(line, sequence));
    }
  }
  return effects;
}

function effectOfLine(line: string, sequence: bigint): Effect {
  try {
    return effectFromLine(line, sequence);
  } catch (error) {
    throw new Error(`line ${sequence} is no effect: ${String(error)}`, { cause: error });
  }
}

async function* finishedLines(path: string): AsyncIterable<string> {
  let unfinished = "";
  for await (const chunk of createReadStream(path, "utf8")) {
    const lines = `${unfinished}${chunk}`.split("\n");
    unfinished = lines.pop() ?? "";
    yield* lines;
  }
}
