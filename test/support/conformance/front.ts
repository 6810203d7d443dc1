import { setTimeout as sleep } from "node:timers/promises";
import { create, type DescMessage, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { anyPack, durationFromMs } from "@bufbuild/protobuf/wkt";
import {
  Client,
  credentials,
  type handleUnaryCall,
  Metadata,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  status,
} from "@grpc/grpc-js";
import { ErrorInfoSchema, RetryInfoSchema } from "../../../src/gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "../../../src/gen/google/rpc/status_pb.js";
import { PaymentService } from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import { Code } from "../../../src/idempotency/answers/code.js";
import {
  ERROR_DOMAIN,
  PUSHBACK_TRAILER,
  STATUS_DETAILS_TRAILER,
} from "../../../src/idempotency/answers/errors.js";
import { KEY_METADATA } from "../../../src/idempotency/request/key.js";
import { startTcpProxy } from "../calls/tcp-proxy.js";
import type { Attempt, ScriptedAnswer } from "./cases.js";

/** An attempt as it came over the wire. */
export interface Arrival {
  /** On the clock of `performance.now`. */
  readonly atMs: number;
  /** From the metadata. */
  readonly keys: readonly string[];
}

/** What clients take for the service: it follows a script, and then lets everything through. */
export interface Front {
  readonly target: string;
  readonly arrivals: readonly Arrival[];
  /** From now on every connection breaks, for so long. Milliseconds. */
  goAway(durationMs: number): void;
  close(): Promise<void>;
}

export async function startFront(service: string, script: readonly Attempt[]): Promise<Front> {
  const arrivals: Arrival[] = [];
  const upstream = new Client(service, credentials.createInsecure());
  const server = new Server();
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  const network = await startTcpProxy(port);

  function goAway(durationMs: number): void {
    network.cut();
    void sleep(durationMs).then(() => network.heal());
  }

  const handle =
    (path: string): handleUnaryCall<Buffer, Buffer> =>
    (call, callback) => {
      const attempt = script[arrivals.length] ?? "forward";
      arrivals.push({ atMs: performance.now(), keys: call.metadata.get(KEY_METADATA).map(String) });
      if (attempt === "hang") {
        return;
      }
      if (attempt === "cut") {
        goAway(0);
        return;
      }
      if (typeof attempt === "object" && "away" in attempt) {
        goAway(attempt.away);
        return;
      }
      if (typeof attempt === "object") {
        callback(scripted(attempt.answer));
        return;
      }
      const forwarded = upstream.makeUnaryRequest(
        path,
        unchanged,
        unchanged,
        call.request,
        call.metadata,
        { deadline: call.getDeadline() },
        (error, body) => {
          if (attempt === "lose reply") {
            goAway(0);
          } else {
            callback(error, body);
          }
        },
      );
      forwarded.on("metadata", (headers: Metadata) => {
        if (attempt === "forward" && headers.get("idempotency-replayed").length > 0) {
          call.sendMetadata(headers);
        }
      });
    };

  server.addService(
    definition,
    Object.fromEntries(Object.entries(definition).map(([name, { path }]) => [name, handle(path)])),
  );
  return {
    target: `127.0.0.1:${network.port}`,
    arrivals,
    goAway,
    async close() {
      server.forceShutdown();
      upstream.close();
      await network.close();
    },
  };
}

const unchanged = (bytes: Buffer): Buffer => bytes;

const definition: ServiceDefinition = Object.fromEntries(
  PaymentService.methods
    .filter(({ methodKind }) => methodKind === "unary")
    .map(({ name }) => [
      name,
      {
        path: `/${PaymentService.typeName}/${name}`,
        requestStream: false,
        responseStream: false,
        requestSerialize: unchanged,
        requestDeserialize: unchanged,
        responseSerialize: unchanged,
        responseDeserialize: unchanged,
      },
    ]),
);

/** An error as the service would send it. */
function scripted({ code, reason, delayMs, retryInfoMs, pushbackMs }: ScriptedAnswer) {
  const metadata = new Metadata();
  const pushback = pushbackMs ?? delayMs;
  if (pushback !== undefined) {
    metadata.set(PUSHBACK_TRAILER, String(pushback));
  }
  const retryDelayMs = retryInfoMs ?? delayMs;
  const details = [
    ...(reason === undefined ? [] : [pack(ErrorInfoSchema, { domain: ERROR_DOMAIN, reason })]),
    ...(retryDelayMs === undefined
      ? []
      : [pack(RetryInfoSchema, { retryDelay: durationFromMs(retryDelayMs) })]),
  ];
  if (details.length > 0) {
    const encoded = toBinary(StatusSchema, create(StatusSchema, { code: Code[code], details }));
    metadata.set(STATUS_DETAILS_TRAILER, Buffer.from(encoded));
  }
  return { code: status[code], details: "scripted", metadata };
}

function pack<Desc extends DescMessage>(schema: Desc, message: MessageInitShape<Desc>) {
  return anyPack(schema, create(schema, message));
}
