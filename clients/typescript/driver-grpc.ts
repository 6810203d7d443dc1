import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, Metadata, status } from "@grpc/grpc-js";
import { type DriverCall, runDriver } from "./driver.js";
import {
  type CallReport,
  errorInfoOf,
  grpcInterceptor,
  KEY_METADATA,
  NATIVE_RETRIES_OFF,
  PaymentService,
  withReport,
} from "./src/index.js";

/** One connection for each target. */
const clients = new Map<string, Client>();

function clientOf({ target, serviceConfig }: DriverCall): Client {
  const channelOptions =
    serviceConfig === undefined ? NATIVE_RETRIES_OFF : { "grpc.service_config": serviceConfig };
  const client =
    clients.get(target) ?? new Client(target, credentials.createInsecure(), channelOptions);
  clients.set(target, client);
  return client;
}

runDriver(
  (call) =>
    new Promise((resolve) => {
      const { method, request, key, deadlineMs, options, signal } = call;
      const metadata = new Metadata();
      if (key !== undefined) {
        metadata.set(KEY_METADATA, key);
      }
      let report: CallReport | undefined;
      const callOptions = withReport(
        (received) => {
          report = received;
        },
        {
          deadline: Date.now() + deadlineMs,
          // Usually an option of the client; here each call has settings of its own.
          interceptors: [grpcInterceptor({ services: [PaymentService], ...options })],
        },
      );
      const ongoing = clientOf(call).makeUnaryRequest(
        `/${method.parent.typeName}/${method.name}`,
        (message: typeof request) => Buffer.from(toBinary(method.input, message)),
        (bytes) => fromBinary(method.output, bytes),
        request,
        metadata,
        callOptions,
        (error, response) =>
          resolve(
            error === null
              ? { code: status[status.OK], reason: "", report, response }
              : { code: status[error.code], reason: errorInfoOf(error)?.reason ?? "", report },
          ),
      );
      signal.addEventListener("abort", () => ongoing.cancel());
    }),
);
