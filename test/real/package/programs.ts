// Programs of a project that has the package installed.

/** Imports the entries that it is told and prints the names that each exports. */
export const IMPORTS = `
const exported = {};
for (const entry of process.argv.slice(2)) {
  exported[entry] = Object.keys(await import(entry));
}
console.log(JSON.stringify(exported));
`;

/** Uses the types of all entries: the compiler reads all declarations behind them. */
export function usesTypesOf(entries: readonly string[]): string {
  return entries
    .map((entry, index) => `export * as entry${index} from ${JSON.stringify(entry)};\n`)
    .join("");
}

/** Pays 19.99 EUR: arguments are gRPC or Connect, the service's URL and the key. */
export const PAYS = `
import { ConnectError, createClient, createContextValues } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import {
  type CallReport,
  callReport,
  connectInterceptor,
  isDefinite,
  KEY_METADATA,
  PaymentService,
  PaymentStatus,
} from "payonce/client";

const [protocol, baseUrl = "", key = ""] = process.argv.slice(2);
const interceptors = [connectInterceptor({ maxAttempts: 5 })];
const transport =
  protocol === "gRPC"
    ? createGrpcTransport({ baseUrl, interceptors })
    : createConnectTransport({ baseUrl, interceptors, httpVersion: "1.1" });
const contextValues = createContextValues();
try {
  const { payment } = await createClient(PaymentService, transport).createPayment(
    { amount: { currencyCode: "EUR", minorUnits: 1999n }, paymentMethod: "tok_visa" },
    { headers: { [KEY_METADATA]: key }, timeoutMs: 30_000, contextValues },
  );
  const report: CallReport | undefined = contextValues.get(callReport);
  const isCaptured: boolean = payment?.status === PaymentStatus.CAPTURED;
  console.log(JSON.stringify({ id: payment?.id, isCaptured, replayed: report?.replayed }));
} catch (error) {
  console.error(isDefinite(error), ConnectError.from(error).message);
  process.exitCode = 1;
}
`;

/** The same in a page, with the client from this entry: no types of Node, and nothing that needs them. */
export const paysInAPage = (entry: string) => `
import { createClient, type Transport } from "@connectrpc/connect";
import * as client from ${JSON.stringify(entry)};

export const interceptors = [client.connectInterceptor()];
export const intentsIn = (store: client.IntentStore) => client.durableIntents({ store });
export async function pay(transport: Transport): Promise<string | undefined> {
  const { payment } = await createClient(client.PaymentService, transport).createPayment({
    paymentMethod: "tok_visa",
  });
  return payment?.id;
}
export const hasNodeParts: "grpcInterceptor" extends keyof typeof client ? true : false = false;
`;
