import type { MessageInitShape } from "@bufbuild/protobuf";
import { toBinary } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { StatusSchema } from "../gen/google/rpc/status_pb.js";
import {
  type InspectionService,
  RecordEventType,
  type RecordName,
  type RecordSchema,
  RecordState as RecordStateMessage,
  type ResolveKeyRequest,
} from "../gen/payonce/idempotency/v1/inspection_pb.js";
import { Code, toCode } from "../idempotency/answers/code.js";
import {
  CallError,
  NotExecuted,
  refusal,
  STATUS_DETAILS_TRAILER,
} from "../idempotency/answers/errors.js";
import type { Caller } from "../idempotency/execution/call.js";
import type { ServiceHandlers } from "../idempotency/execution/handlers.js";
import { type Outcome, okOutcome, toStoredOutcome } from "../idempotency/port/outcome.js";
import type { Scope } from "../idempotency/port/scope.js";
import type {
  IdempotencyStore,
  RecordEvent,
  RecordState,
  StoredRecord,
} from "../idempotency/port/store.js";
import { type Page, PageError, pageTokenOf, readPage } from "../runtime/paging.js";
import { operatedTenant, requireOperator } from "./identity.js";
import type { Logger } from "./log.js";
import type { Resolution, ResolveHeld } from "./resolution.js";
import { logResolutions } from "./resolution-log.js";

/** The handlers with which operators inspect idempotency keys, and end those that are held. */
export function createInspectionHandlers<Transaction>({
  store,
  resolveHeld,
  log,
}: {
  readonly store: IdempotencyStore<Transaction>;
  readonly resolveHeld: ResolveHeld;
  readonly log: Logger;
}): Omit<ServiceHandlers<typeof InspectionService, Transaction>, "listOperatorActs"> {
  async function find(scope: Scope) {
    const found = await store.get(scope);
    if (found === undefined) {
      throw new CallError(refusal("RECORD_NOT_FOUND", "this key has no record"));
    }
    return found;
  }

  const handlers: ReturnType<typeof createInspectionHandlers<Transaction>> = {
    async getRecord({ name }, { caller }) {
      requireOperator(caller);
      const { record, events } = await find(toScope(name, caller));
      return { record: toRecordMessage(record), events: events.map(toEventMessage) };
    },

    async listRecords(request, { caller }) {
      const tenant = readText("tenant", operatedTenant(caller, request.tenant));
      const operation = readText("operation", request.operation);
      const state = readState(request.state);
      const filter = ["records", tenant, operation, state ?? ""];
      const { size, cursor } = pageOf(request, filter, (text) => text);
      const page = await store
        .list({
          tenant,
          ...(operation === "" ? {} : { operation }),
          ...(state === undefined ? {} : { state }),
          ...(cursor === undefined ? {} : { pageToken: cursor }),
          pageSize: size,
        })
        .catch((error) => {
          throw error instanceof RangeError ? invalidField("page_token", error.message) : error;
        });
      const next = page.nextPageToken;
      return {
        records: page.records.map(toRecordMessage),
        nextPageToken: next === undefined ? "" : pageTokenOf(next, filter),
      };
    },

    async resolveKey(request, { caller }) {
      requireOperator(caller);
      const scope = toScope(request.name, caller);
      if (request.reason === "") {
        throw invalidField("reason", "reason must say who found out and how");
      }
      readText("reason", request.reason);
      const resolution = toResolution(request);
      const { fencingToken, reason } = request;
      await find(scope);
      const resolved = await resolveHeld(scope, { fencingToken, reason, resolution });
      switch (resolved.kind) {
        case "resolved":
          break;
        case "invalid":
          throw invalidField("response", `response ${resolved.message}`);
        case "changed":
          throw recordChanged("the record is not held under this fencing token");
        case "failed":
          throw recordChanged(`the record was not ended so: ${resolved.message}`);
      }
      const found = await store.get(scope);
      return found === undefined ? {} : { record: toRecordMessage(found.record) };
    },
  };
  return { ...handlers, resolveKey: logResolutions(log, handlers.resolveKey) };
}

function toScope(name: RecordName | undefined, caller: Caller): Scope {
  if (name === undefined || name.operation === "" || name.idempotencyKey === "") {
    throw invalidField("name", "name must have an operation and an idempotency_key");
  }
  return {
    tenant: readText("name.tenant", operatedTenant(caller, name.tenant)),
    operation: readText("name.operation", name.operation),
    key: readText("name.idempotency_key", name.idempotencyKey),
  };
}

function readText(field: string, text: string): string {
  if (text.includes("\0")) {
    throw invalidField(field, `${field} must not hold U+0000, which Postgres cannot store`);
  }
  return text;
}

/** A state to filter by; undefined for all. */
function readState(state: RecordStateMessage): RecordState | undefined {
  const found = stateByNumber.get(state);
  if (found === undefined && state !== RecordStateMessage.UNSPECIFIED) {
    throw invalidField("state", "state must be a state of the schema");
  }
  return found;
}

/** @throws CallError FIELD_INVALID. */
export function pageOf<Cursor>(...asked: Parameters<typeof readPage<Cursor>>): Page<Cursor> {
  try {
    return readPage(...asked);
  } catch (error) {
    throw error instanceof PageError ? invalidField(error.field, error.message) : error;
  }
}

function toResolution({ resolution }: ResolveKeyRequest): Resolution {
  switch (resolution.case) {
    case "notExecuted":
      return { kind: "not_executed" };
    case "response":
      return { kind: "outcome", outcome: okOutcome(resolution.value) };
    case "error": {
      const status = resolution.value;
      if (status.code === Code.OK || toCode(status.code) !== status.code) {
        throw invalidField("error", "error must have a gRPC status code other than OK");
      }
      readText("error.message", status.message);
      const outcome: Outcome = {
        ...okOutcome(new Uint8Array()),
        code: toCode(status.code),
        message: status.message,
        trailers: [[STATUS_DETAILS_TRAILER, toBinary(StatusSchema, status)]],
      };
      return { kind: "outcome", outcome };
    }
    default:
      throw invalidField("resolution", "one of not_executed, response and error must be set");
  }
}

function recordChanged(message: string): NotExecuted {
  return new NotExecuted(refusal("RECORD_CHANGED", `${message}; read it again`));
}

const stateNumbers: Record<RecordState, RecordStateMessage> = {
  executing: RecordStateMessage.EXECUTING,
  held: RecordStateMessage.HELD,
  released: RecordStateMessage.RELEASED,
  completed: RecordStateMessage.COMPLETED,
  expired: RecordStateMessage.EXPIRED,
};

const stateByNumber: ReadonlyMap<RecordStateMessage, RecordState> = new Map([
  [RecordStateMessage.EXECUTING, "executing"],
  [RecordStateMessage.HELD, "held"],
  [RecordStateMessage.RELEASED, "released"],
  [RecordStateMessage.COMPLETED, "completed"],
  [RecordStateMessage.EXPIRED, "expired"],
]);

const eventTypes: Record<RecordEvent["type"], RecordEventType> = {
  taken_over: RecordEventType.TAKEN_OVER,
  outcome_unknown: RecordEventType.OUTCOME_UNKNOWN,
  resolved: RecordEventType.RESOLVED,
};

function toRecordMessage(record: StoredRecord): MessageInitShape<typeof RecordSchema> {
  const { leaseRemainingMs, completeTimeMs, expireTimeMs, outcome } = record;
  const { version, canonical, raw } = record.fingerprint;
  return {
    tenant: record.tenant,
    operation: record.operation ?? "",
    idempotencyKey: record.key ?? "",
    state: stateNumbers[record.state],
    fingerprint: { version, canonicalSha256: canonical, rawSha256: raw },
    fencingToken: record.fencingToken,
    attempts: record.attempts,
    createTime: toTimestamp(record.createTimeMs),
    claimTime: toTimestamp(record.claimTimeMs),
    ...(leaseRemainingMs === undefined
      ? {}
      : { leaseRemaining: durationFromMs(Math.round(leaseRemainingMs)) }),
    ...(completeTimeMs === undefined ? {} : { completeTime: toTimestamp(completeTimeMs) }),
    ...(expireTimeMs === undefined ? {} : { expireTime: toTimestamp(expireTimeMs) }),
    ...(outcome === undefined ? {} : { outcome: toStoredOutcome(outcome) }),
    unknownReason: record.unknownReason ?? "",
  };
}

function toEventMessage({ timeMs, type, fencingToken, detail }: RecordEvent) {
  return { time: toTimestamp(timeMs), type: eventTypes[type], fencingToken, detail };
}

function toTimestamp(timeMs: number) {
  return timestampFromMs(Math.floor(timeMs)); // the database counts microseconds
}

function invalidField(field: string, message: string): CallError {
  return new CallError(refusal("FIELD_INVALID", message, { field }));
}
