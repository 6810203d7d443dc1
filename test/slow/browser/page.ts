// The script of the page: a checkout as a shop writes it. It runs in the browser.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  createClient,
  createContextKey,
  createContextValues,
  type Interceptor,
} from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import {
  type CreatePaymentRequest,
  CreatePaymentRequestSchema,
  callReport,
  connectInterceptor,
  durableIntents,
  KEY_METADATA,
  PaymentService,
  PaymentStatus,
} from "../../../clients/typescript/src/browser.js";
import { sessionIntentStore, type WebStorage } from "./session-intents.js";

// What the page uses of a browser; the project's other files run without one.
interface PageElement {
  textContent: string;
  append(child: PageElement): void;
  addEventListener(event: "click", listener: () => void): void;
}
declare const sessionStorage: WebStorage;
declare const location: { readonly origin: string; readonly search: string };
declare const document: {
  createElement(tag: "li"): PageElement;
  querySelector(selector: string): PageElement;
};

/** Longer than the slowest processor takes. */
const DEADLINE_MS = 20_000;

const options = new URLSearchParams(location.search);

/** What the page shows of a payment that was made, as JSON. */
export interface ShownAnswer {
  readonly payment: string | undefined;
  readonly status: string | undefined;
  readonly key: string | undefined;
  readonly replayed: boolean | undefined;
  /** How each attempt ended, in order. */
  readonly attempts: readonly string[];
}

/** How each attempt of a call ended, as the page saw it. */
const endings = createContextKey<string[]>([]);

const watchAttempts: Interceptor = (next) => async (call) => {
  const ended = (how: string) => call.contextValues.get(endings).push(how);
  try {
    const answer = await next(call);
    ended("OK");
    return answer;
  } catch (error) {
    ended(error instanceof ConnectError ? Code[error.code] : String(error));
    throw error;
  }
};

const createTransport =
  options.get("protocol") === "gRPC-Web" ? createGrpcWebTransport : createConnectTransport;
const payments = createClient(
  PaymentService,
  createTransport({
    baseUrl: location.origin,
    defaultTimeoutMs: DEADLINE_MS,
    interceptors: [connectInterceptor(), watchAttempts],
  }),
);
const intents = durableIntents({ store: sessionIntentStore(sessionStorage) });

const request = create(CreatePaymentRequestSchema, {
  amount: { currencyCode: "EUR", minorUnits: 1_999n },
  paymentMethod: options.get("paymentMethod") ?? "tok_visa",
});

/** Pays, and shows the answer. */
async function pay(payment: CreatePaymentRequest, headers: Record<string, string>): Promise<void> {
  const contextValues = createContextValues().set(endings, []);
  const answer = await payments.createPayment(payment, { headers, contextValues });
  const report = contextValues.get(callReport);
  const shown: ShownAnswer = {
    payment: answer.payment?.id,
    status: PaymentStatus[answer.payment?.status ?? PaymentStatus.UNSPECIFIED],
    key: report?.key,
    replayed: report?.replayed,
    attempts: contextValues.get(endings),
  };
  show(JSON.stringify(shown));
}

/** The intent belongs to the cart, not to the click. */
function payCart(name: string, bytes: Uint8Array): Promise<void> {
  return intents.perform({
    name,
    request: bytes,
    send: (intent) =>
      pay(fromBinary(CreatePaymentRequestSchema, intent.request), { [KEY_METADATA]: intent.key }),
  });
}

function show(text: string): void {
  const item = document.createElement("li");
  item.textContent = text;
  document.querySelector("#answers").append(item);
}

/** For a button: what goes wrong is shown. */
function begin(payment: Promise<void>): void {
  payment.catch((error: unknown) => show(String(error)));
}

document.querySelector("#pay-now").addEventListener("click", () => begin(pay(request, {})));
document
  .querySelector("#pay-cart")
  .addEventListener("click", () =>
    begin(payCart("cart-1/charge", toBinary(CreatePaymentRequestSchema, request))),
  );
for (const { name, request: bytes } of await intents.unfinished()) {
  begin(payCart(name, bytes));
}
