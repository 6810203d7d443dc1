import { createInterface } from "node:readline";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import pg from "pg";
import {
  CreatePaymentRequestSchema,
  connectInterceptor,
  durableIntents,
  fileIntentStore,
  KEY_METADATA,
  PaymentService,
  postgresIntentStore,
} from "../../../clients/typescript/src/index.js";

/** When the caller stops and waits to be killed. */
export type Moment = "saved" | "sent" | "answered" | "settled";

export interface CallerOptions {
  readonly target: string;
  readonly store: { readonly folder: string } | { readonly databaseUrl: string };
  readonly name: string;
  readonly paymentMethod: string;
  readonly stopAt: Moment;
}

/** What the caller prints once it has come to its moment. */
export interface CallerReport {
  readonly key: string;
  readonly paymentId?: string | undefined;
  readonly unfinished: readonly string[];
}

// The process of a caller: charges under an intent, and stops at one moment.
const options: CallerOptions = JSON.parse(process.argv[2] ?? "");
const { target, store, name, paymentMethod, stopAt } = options;
const intents = durableIntents({
  store:
    "folder" in store
      ? fileIntentStore(store)
      : postgresIntentStore(new pg.Pool({ connectionString: store.databaseUrl })),
});
const payments = createClient(
  PaymentService,
  createGrpcTransport({ baseUrl: `http://${target}`, interceptors: [connectInterceptor()] }),
);

const request = create(CreatePaymentRequestSchema, {
  amount: { currencyCode: "EUR", minorUnits: 1_999n },
  paymentMethod,
});
let key = "";
const { payment } = await intents.perform({
  name,
  request: toBinary(CreatePaymentRequestSchema, request),
  async send(intent) {
    key = intent.key;
    await reached("saved");
    const answer = payments.createPayment(fromBinary(CreatePaymentRequestSchema, intent.request), {
      headers: { [KEY_METADATA]: intent.key },
    });
    await reached("sent");
    const { payment } = await answer;
    await reached("answered", payment?.id);
    return { payment };
  },
});
await reached("settled", payment?.id);

/** Reports the moment to whoever waits for it, and goes no further. */
async function reached(moment: Moment, paymentId?: string): Promise<void> {
  if (moment === stopAt) {
    const unfinished = (await intents.unfinished()).map((intent) => intent.name);
    const report: CallerReport = { key, paymentId, unfinished };
    process.stdout.write(`${JSON.stringify(report)}\n`);
    for await (const _ of createInterface(process.stdin)) {
      // Until it is killed.
    }
  }
}
