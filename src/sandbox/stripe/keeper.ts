import { join } from "node:path";
import type { JsonObject } from "@bufbuild/protobuf";
import * as v from "valibot";
import { createGroupWriter } from "../group-writer.js";
import { openLineFile } from "../line-file.js";
import type { Reply } from "./errors.js";
import type { Intent } from "./intent.js";

/** Keeps what the journal has no line for: intents without an effect, and answers that no effect gave. */
export interface Keeper {
  /** The intents as they were kept last, when it was opened. */
  readonly waiting: readonly Intent[];
  reply(key: string): KeptReply | undefined;
  /** Resolves once the answer is on disk. */
  keepReply(key: string, kept: KeptReply): Promise<void>;
  forgetReply(key: string): void;
  /** Resolves once the intent is on disk. */
  keepIntent(intent: Intent): Promise<void>;
  settled(): Promise<void>;
  close(): Promise<void>;
}

export interface KeptReply {
  /** SHA-256 of the endpoint and the parameters, in hexadecimal digits. */
  readonly fingerprint: string;
  readonly reply: Reply;
}

const FILE = "stripe.jsonl";

// As many as the journal's own.
const WAITING_LIMIT = 10_000;

const bigint = v.pipe(
  v.string(),
  v.regex(/^\d+$/),
  v.transform((text) => BigInt(text)),
);
const intentSchema = v.object({
  id: v.string(),
  processorKey: v.string(),
  paymentId: v.string(),
  currencyCode: v.string(),
  minorUnits: bigint,
  paymentMethod: v.string(),
  captureMethod: v.string(),
  description: v.string(),
  metadata: v.record(v.string(), v.string()),
  createTimeMs: v.number(),
  status: v.picklist([
    "requires_payment_method",
    "requires_confirmation",
    "requires_action",
    "canceled",
  ]),
  declineCode: v.optional(v.string()),
  cancelTimeMs: v.optional(v.number()),
  cancelReason: v.optional(v.string()),
  returnUrl: v.optional(v.string()),
});
const json = v.custom<JsonObject>((value) => typeof value === "object" && value !== null);
const lineSchema = v.union([
  v.object({ intent: intentSchema }),
  v.object({ forgotten: v.string() }),
  v.object({
    key: v.string(),
    fingerprint: v.string(),
    reply: v.object({ status: v.number(), body: json }),
  }),
]);

/** @throws naming the file and the line that is malformed. */
export async function openKeeper(dataDir: string, log: (line: string) => void): Promise<Keeper> {
  const intents = new Map<string, Intent>();
  const replies = new Map<string, KeptReply>();
  const file = await openLineFile({
    path: join(dataDir, FILE),
    onLine(text) {
      const line = v.parse(lineSchema, JSON.parse(text));
      if ("intent" in line) {
        intents.set(line.intent.id, { ...line.intent, captured: 0n, refunds: [] });
      } else if ("forgotten" in line) {
        replies.delete(line.forgotten);
      } else {
        replies.set(line.key, line);
      }
    },
    log,
  });
  const writer = createGroupWriter<string>({
    waitingLimit: WAITING_LIMIT,
    write: (lines) => file.append(lines),
    onFailure: (error) => log(error.message),
  });

  return {
    waiting: [...intents.values()],
    reply: (key) => replies.get(key),
    keepReply(key, kept) {
      replies.set(key, kept);
      return writer.append(JSON.stringify({ key, ...kept }));
    },
    forgetReply(key) {
      if (replies.delete(key)) {
        // Whoever asks again waits for a later line, and with it for this one.
        writer.append(JSON.stringify({ forgotten: key })).catch(() => undefined);
      }
    },
    keepIntent: (intent) => writer.append(intentToLine(intent)),
    settled: () => writer.settled(),
    async close() {
      await writer.settled();
      await file.close();
    },
  };
}

function intentToLine({ captured, refunds, ...intent }: Intent): string {
  return JSON.stringify({ intent: { ...intent, minorUnits: intent.minorUnits.toString() } });
}
