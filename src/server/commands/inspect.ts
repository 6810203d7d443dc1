import { toJsonString } from "@bufbuild/protobuf";
import { Client, Metadata } from "@grpc/grpc-js";
import {
  GetRecordResponseSchema,
  InspectionService,
  ListRecordsResponseSchema,
  RecordState,
} from "../../gen/payonce/idempotency/v1/inspection_pb.js";
import { callUnary } from "../../grpc/client.js";
import { serviceCredentials, tlsFlags } from "./client.js";
import { addressFlag, type Command, type Flags, textFlag, UsageError } from "./command.js";
import { recordLine, recordText } from "./inspect-text.js";

const DEFAULT_TARGET = "127.0.0.1:50051";
const DEFAULT_OPERATION = "payonce.payments.v1.PaymentService/CreatePayment";
const CALL_TIMEOUT_MS = 10_000;

const states: ReadonlyMap<string, RecordState> = new Map([
  ["executing", RecordState.EXECUTING],
  ["held", RecordState.HELD],
  ["completed", RecordState.COMPLETED],
  ["expired", RecordState.EXPIRED],
  ["released", RecordState.RELEASED],
]);

export const inspect: Command = {
  summary: "shows one key's record and its history, or lists records",
  help: () => `  --key         the idempotency key whose record is shown; without it records are listed
  --operation   the operation in the key's scope
                (default for one key: ${DEFAULT_OPERATION})
  --state       lists only records that are ${[...states.keys()].join(", ")}
  --tenant      another tenant than the caller's own; takes the role global_operator
  --target      the service to ask, host:port (default: ${DEFAULT_TARGET})
  --token       an operator's bearer token, where the service wants one
  --tls-ca-file who signed the service's certificate (PEM); without it TLS is not used
  --tls-cert-file, --tls-key-file
                an operator's client certificate and its key (PEM), where the service wants one
  --json        prints JSON`,
  options: {
    key: { type: "string" },
    operation: { type: "string" },
    state: { type: "string" },
    tenant: { type: "string" },
    target: { type: "string" },
    token: { type: "string" },
    ...tlsFlags,
    json: { type: "boolean" },
  },
  async run(flags) {
    const target = addressFlag(flags, "target", DEFAULT_TARGET);
    const client = new Client(target, await serviceCredentials(flags));
    try {
      const show = flags.key === undefined ? listRecords : showRecord;
      console.log(await show(client, flags));
      return 0;
    } finally {
      client.close();
    }
  },
};

async function showRecord(client: Client, flags: Flags): Promise<string> {
  const { response, message } = await callUnary(client, {
    method: InspectionService.method.getRecord,
    request: {
      name: {
        tenant: textFlag(flags, "tenant", ""),
        operation: textFlag(flags, "operation", DEFAULT_OPERATION),
        idempotencyKey: textFlag(flags, "key", ""),
      },
    },
    metadata: metadataOf(flags),
    timeoutMs: CALL_TIMEOUT_MS,
  });
  if (response === undefined) {
    throw new Error(message);
  }
  return flags.json === true
    ? toJsonString(GetRecordResponseSchema, response, { prettySpaces: 2 })
    : recordText(response);
}

async function listRecords(client: Client, flags: Flags): Promise<string> {
  const { response, message } = await callUnary(client, {
    method: InspectionService.method.listRecords,
    request: {
      tenant: textFlag(flags, "tenant", ""),
      operation: textFlag(flags, "operation", ""),
      state: stateOf(flags),
    },
    metadata: metadataOf(flags),
    timeoutMs: CALL_TIMEOUT_MS,
  });
  if (response === undefined) {
    throw new Error(message);
  }
  if (flags.json === true) {
    return toJsonString(ListRecordsResponseSchema, response, { prettySpaces: 2 });
  }
  const more = response.nextPageToken === "" ? [] : ["... and older ones"];
  const lines = response.records.map(recordLine);
  return lines.length === 0 ? "no records" : [...lines, ...more].join("\n");
}

function stateOf(flags: Flags): RecordState {
  const text = textFlag(flags, "state", "");
  const state = text === "" ? RecordState.UNSPECIFIED : states.get(text);
  if (state === undefined) {
    throw new UsageError(`--state accepts ${[...states.keys()].join(", ")}`);
  }
  return state;
}

function metadataOf(flags: Flags): Metadata {
  const metadata = new Metadata();
  const token = textFlag(flags, "token", "");
  if (token !== "") {
    metadata.set("authorization", `Bearer ${token}`);
  }
  return metadata;
}
