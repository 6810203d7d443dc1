import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import {
  type GetRecordResponse,
  type Record,
  type RecordEvent,
  RecordEventType,
  RecordState,
} from "../../gen/payonce/idempotency/v1/inspection_pb.js";

/** One record and its history, for people. */
export function recordText({ record, events }: GetRecordResponse): string {
  if (record === undefined) {
    return "no record";
  }
  const { outcome, leaseRemaining } = record;
  const fields: readonly (readonly [string, string])[] = [
    ["state", stateName(record)],
    ["tenant", record.tenant],
    ["operation", record.operation],
    ["key", record.idempotencyKey],
    ["fencing token", String(record.fencingToken)],
    ["attempts", String(record.attempts)],
    ["fingerprint", hex(record.fingerprint?.canonicalSha256)],
    ["lease remaining", leaseRemaining === undefined ? "" : `${leaseRemaining.seconds} s`],
    ["outcome", outcome === undefined ? "" : `code ${outcome.code}, ${outcome.body.length} bytes`],
    ["message", outcome?.message ?? ""],
    ["unknown because", record.unknownReason],
    ["replayed until", timeText(record.expireTime)],
  ];
  const history = [
    historyLine(record.createTime, "claimed"),
    ...events.map(eventLine),
    ...(record.completeTime === undefined ? [] : [historyLine(record.completeTime, "completed")]),
  ];
  return [
    ...fields
      .filter(([, value]) => value !== "")
      .map(([name, value]) => `${name.padEnd(16)} ${value}`),
    "history",
    ...history,
  ].join("\n");
}

/** One record in a list. */
export function recordLine(record: Record): string {
  const key = record.idempotencyKey === "" ? "(expired)" : record.idempotencyKey;
  return [timeText(record.createTime), stateName(record).padEnd(9), record.operation, key].join(
    "  ",
  );
}

const eventNames: { readonly [Type in RecordEventType]: string } = {
  [RecordEventType.UNSPECIFIED]: "unknown event",
  [RecordEventType.TAKEN_OVER]: "taken over",
  [RecordEventType.OUTCOME_UNKNOWN]: "outcome unknown",
  [RecordEventType.RESOLVED]: "resolved",
};

function eventLine({ time, type, fencingToken, detail }: RecordEvent): string {
  return historyLine(time, `${eventNames[type]} (token ${fencingToken}) ${detail}`.trimEnd());
}

function historyLine(time: Timestamp | undefined, what: string): string {
  return `  ${timeText(time)}  ${what}`;
}

function stateName({ state }: Record): string {
  return (RecordState[state] ?? "unknown").toLowerCase();
}

function timeText(time: Timestamp | undefined): string {
  return time === undefined ? "" : timestampDate(time).toISOString();
}

function hex(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString("hex");
}
