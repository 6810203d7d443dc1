import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  Client,
  type ClientReadableStream,
  credentials,
  type Metadata,
  type ServiceError,
} from "@grpc/grpc-js";
import {
  type PaymentEvent,
  PaymentService,
  StreamPaymentEventsRequestSchema,
  type StreamPaymentEventsResponse,
} from "../../../src/gen/payonce/payments/v1/payments_pb.js";

const { streamPaymentEvents: method } = PaymentService.method;

export const EVENTS_PATH = `/${PaymentService.typeName}/${method.name}`;

/** How a stream ended. */
export type StreamError = ServiceError & { readonly metadata: Metadata };

/** A stream of events over gRPC, with all that it has brought and how it ended. */
export function openEventStream(
  target: string,
  request: MessageInitShape<typeof StreamPaymentEventsRequestSchema> = {},
) {
  const client = new Client(target, credentials.createInsecure());
  const events: PaymentEvent[] = [];
  const call: ClientReadableStream<StreamPaymentEventsResponse> = client.makeServerStreamRequest(
    EVENTS_PATH,
    (message) => Buffer.from(toBinary(method.input, message)),
    (bytes) => fromBinary(method.output, bytes),
    create(StreamPaymentEventsRequestSchema, request),
  );
  call.on("data", ({ event }: StreamPaymentEventsResponse) => {
    if (event !== undefined) {
      events.push(event);
    }
  });
  const error = new Promise<StreamError>((resolve) => call.on("error", resolve));
  void error.then(() => client.close());
  return { events, error, call };
}
