import { type DescMessage, type MessageShape, toJsonString } from "@bufbuild/protobuf";
import { type ChannelCredentials, Client, Metadata } from "@grpc/grpc-js";
import {
  GetRecordResponseSchema,
  InspectionService,
  ListRecordsResponseSchema,
  RecordState,
} from "../../gen/payonce/idempotency/v1/inspection_pb.js";
import { callUnary, type UnaryCall } from "../../grpc/client.js";
import { recordLine, recordText } from "./inspect-text.js";

const CALL_TIMEOUT_MS = 10_000;

/** The service as an operator asks it. */
export interface InspectedService {
  readonly call: <Input extends DescMessage, Output extends DescMessage>(
    call: Pick<UnaryCall<Input, Output>, "method" | "request">,
  ) => Promise<MessageShape<Output>>;
  readonly close: () => void;
}

export function openService({
  target,
  credentials,
  token = "",
}: {
  readonly target: string;
  readonly credentials: ChannelCredentials;
  readonly token: string | undefined;
}): InspectedService {
  const client = new Client(target, credentials);
  return {
    async call({ method, request }) {
      const metadata = new Metadata();
      if (token !== "") {
        metadata.set("authorization", `Bearer ${token}`);
      }
      const { response, message } = await callUnary(client, {
        method,
        request,
        metadata,
        timeoutMs: CALL_TIMEOUT_MS,
      });
      if (response === undefined) {
        throw new Error(message);
      }
      return response;
    },
    close: () => client.close(),
  };
}

/** @throws the service's message where it refuses. */
export async function showRecord(
  service: InspectedService,
  {
    name,
    print,
  }: {
    readonly name: {
      readonly tenant: string;
      readonly operation: string;
      readonly idempotencyKey: string;
    };
    readonly print: "JSON" | "text";
  },
): Promise<string> {
  const response = await service.call({
    method: InspectionService.method.getRecord,
    request: { name },
  });
  return print === "JSON"
    ? toJsonString(GetRecordResponseSchema, response, { prettySpaces: 2 })
    : recordText(response);
}

/** @throws the service's message where it refuses. */
export async function listRecords(
  service: InspectedService,
  {
    filter: { tenant, operation = "", state },
    print,
  }: {
    readonly filter: {
      readonly tenant: string;
      readonly operation: string | undefined;
      readonly state: StateName | undefined;
    };
    readonly print: "JSON" | "text";
  },
): Promise<string> {
  const response = await service.call({
    method: InspectionService.method.listRecords,
    request: {
      tenant,
      operation,
      state: state === undefined ? RecordState.UNSPECIFIED : states[state],
    },
  });
  if (print === "JSON") {
    return toJsonString(ListRecordsResponseSchema, response, { prettySpaces: 2 });
  }
  const more = response.nextPageToken === "" ? [] : ["... and older ones"];
  const lines = response.records.map(recordLine);
  return lines.length === 0 ? "no records" : [...lines, ...more].join("\n");
}

type StateName = Lowercase<Exclude<keyof typeof RecordState, "UNSPECIFIED">>;

const states: { readonly [Name in StateName]: RecordState } = {
  executing: RecordState.EXECUTING,
  held: RecordState.HELD,
  completed: RecordState.COMPLETED,
  expired: RecordState.EXPIRED,
  released: RecordState.RELEASED,
};
