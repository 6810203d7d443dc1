import type { DescMessage } from "@bufbuild/protobuf";
import { CaptureMethod, PaymentStatus } from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import type { UnaryResult } from "../../../src/grpc/client.js";
import type { Writes } from "../../invariants/client-log.js";
import { eur, paymentOf, untilAnswered } from "../../support/payments/payments-client.js";

/** Each call is sent this often at once, spread over the services. */
const DUPLICATES = 3;

const MANUAL = { captureMethod: CaptureMethod.MANUAL };

export interface BusyDay {
  /** One client for each service. */
  readonly clients: readonly Writes[];
  /** How many customers buy at once. Each takes its own way, in turn. */
  readonly customers: number;
  /** Begins every key. */
  readonly prefix: string;
  /** How the cards behave, in turn. */
  readonly paymentMethods: readonly string[];
}

/** Payments of all kinds, each call sent by several clients at once until it is answered. */
export async function busyDay({
  clients,
  customers,
  prefix,
  paymentMethods,
}: BusyDay): Promise<void> {
  const once = async <Output extends DescMessage>(
    send: (client: Writes) => Promise<UnaryResult<Output>>,
  ): Promise<UnaryResult<Output>> => {
    const answers = await Promise.all(
      Array.from({ length: DUPLICATES }, async (_, index) => {
        const client = clients[index % clients.length];
        if (client === undefined) {
          throw new RangeError("a busy day needs a client");
        }
        return (await untilAnswered(() => send(client))).answer;
      }),
    );
    const [answer] = answers;
    if (answer === undefined) {
      throw new RangeError("nothing was sent");
    }
    return answer;
  };

  async function create(key: string, paymentMethod: string, terms: object): Promise<string> {
    const request = paymentOf(paymentMethod, terms);
    const { response, message } = await once((client) => client.createPayment(request, key));
    const payment = response?.payment;
    if (payment === undefined) {
      throw new Error(`${key}: ${message}`);
    }
    return payment.status === PaymentStatus.DECLINED ? "" : payment.id;
  }

  const capture = (key: string, paymentId: string, minorUnits: bigint) =>
    once((client) => client.capturePayment({ paymentId, amount: eur(minorUnits) }, key));
  const refund = (key: string, paymentId: string, minorUnits: bigint) =>
    once((client) => client.refundPayment({ paymentId, amount: eur(minorUnits) }, key));
  const cancel = (key: string, paymentId: string) =>
    once((client) => client.cancelPayment({ paymentId }, key));

  const ways: readonly ((key: string, card: string) => Promise<unknown>)[] = [
    async (key, card) => {
      const id = await create(key, card, {});
      return id && refund(`${key}-refund`, id, 500n);
    },
    async (key, card) => {
      const id = await create(key, card, MANUAL);
      return id && Promise.all(["a", "b"].map((part) => capture(`${key}-${part}`, id, 700n)));
    },
    async (key, card) => {
      const id = await create(key, card, MANUAL);
      await (id && cancel(`${key}-cancel`, id));
      return id && capture(`${key}-too-late`, id, 1n);
    },
    (key, card) => create(key, card, MANUAL),
  ];

  await Promise.all(
    Array.from({ length: customers }, (_, index) => {
      const way = ways[index % ways.length];
      const card = paymentMethods[Math.floor(index / ways.length) % paymentMethods.length];
      return way?.(`${prefix}-${index}`, card ?? "tok_visa");
    }),
  );
}
