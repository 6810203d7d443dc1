import {
  Code,
  ConnectError,
  createClient,
  createContextValues,
  createRouterTransport,
  type HandlerContext,
  type Interceptor,
} from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { callReport, connectInterceptor } from "../../../clients/typescript/src/connect.js";
import type { CallReport, ClientOptions } from "../../../clients/typescript/src/options.js";
import { PaymentService } from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import { createManualClock, type ManualClock } from "../../support/idempotency/manual-clock.js";

const METHOD = "payonce.payments.v1.PaymentService/CreatePayment";
const UUID_V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

interface Attempt {
  readonly key: string | null;
  readonly timeoutMs: number | undefined;
}

interface Setup extends ClientOptions {
  /** What happens to each attempt; further ones succeed. */
  readonly answers?: readonly ((context: HandlerContext) => void | Promise<void>)[];
  /** Interceptors below the one under test. */
  readonly below?: readonly Interceptor[];
}

/** A client of a service in the same process, and what the service has seen. */
function open({ answers = [], below = [], ...options }: Setup = {}) {
  const clock = createManualClock();
  const attempts: Attempt[] = [];
  const reads: (string | null)[] = [];
  const transport = createRouterTransport(
    ({ service }) => {
      service(PaymentService, {
        async createPayment(_request, context) {
          attempts.push({
            key: context.requestHeader.get("idempotency-key"),
            timeoutMs: context.timeoutMs(),
          });
          await answers[attempts.length - 1]?.(context);
          return { payment: { id: "pay_1" } };
        },
        getPayment(_request, context) {
          reads.push(context.requestHeader.get("idempotency-key"));
          throw new ConnectError("away", Code.Unavailable);
        },
      });
    },
    {
      transport: {
        interceptors: [connectInterceptor(options, { clock, random: () => 0.5 }), ...below],
      },
    },
  );
  return { clock, attempts, reads, payments: createClient(PaymentService, transport) };
}

function fails(code: Code, metadata: Record<string, string> = {}): () => never {
  return () => {
    throw new ConnectError("scripted", code, metadata);
  };
}

/** Lets time pass until the call has ended. */
async function ended<Answer>(clock: ManualClock, call: Promise<Answer>): Promise<Answer> {
  call.catch(() => {}); // the caller of this function looks at it
  await clock.advance(60_000);
  return call;
}

describe("a call over Connect", () => {
  it("gets one key, which all attempts carry, and a report", async () => {
    const reports: CallReport[] = [];
    const { clock, attempts, payments } = open({
      answers: [fails(Code.Unavailable), fails(Code.Aborted), fails(Code.Canceled)],
      onReport: (report) => reports.push(report),
    });
    const contextValues = createContextValues();
    const { payment } = await ended(clock, payments.createPayment({}, { contextValues }));
    const [first] = attempts;
    expect(payment?.id).toBe("pay_1");
    expect(first?.key).toMatch(UUID_V4);
    expect(attempts.map(({ key }) => key)).toEqual(Array(4).fill(first?.key));
    const report = { method: METHOD, key: first?.key, attempts: 4, replayed: false };
    expect(contextValues.get(callReport)).toEqual(report);
    expect(reports).toEqual([report]);
  });

  it("keeps the key of its header", async () => {
    const { clock, attempts, payments } = open({ answers: [fails(Code.Unavailable)] });
    await ended(clock, payments.createPayment({}, { headers: { "idempotency-key": "order-1" } }));
    expect(attempts.map(({ key }) => key)).toEqual(["order-1", "order-1"]);
  });

  it("keeps the key of its request's field, and sends no other", async () => {
    const { clock, attempts, payments } = open();
    const contextValues = createContextValues();
    await ended(clock, payments.createPayment({ idempotencyKey: "order-1" }, { contextValues }));
    expect(attempts.map(({ key }) => key)).toEqual([null]);
    expect(contextValues.get(callReport)?.key).toBe("order-1");
  });

  it("asks the caller's function for a key once, with the request", async () => {
    const asked: unknown[] = [];
    const { clock, attempts, payments } = open({
      answers: [fails(Code.Unavailable)],
      newKey(call) {
        asked.push(call);
        return "business-key";
      },
    });
    await ended(clock, payments.createPayment({ merchantReference: "order-1" }));
    expect(attempts.map(({ key }) => key)).toEqual(["business-key", "business-key"]);
    expect(asked).toEqual([
      { method: METHOD, request: expect.objectContaining({ merchantReference: "order-1" }) },
    ]);
  });

  it("ends with the last answer and a report of a replay", async () => {
    const { clock, payments } = open({
      answers: [fails(Code.FailedPrecondition, { "idempotency-replayed": "true" })],
    });
    const contextValues = createContextValues();
    const call = payments.createPayment({}, { contextValues });
    await expect(ended(clock, call)).rejects.toMatchObject({ code: Code.FailedPrecondition });
    expect(contextValues.get(callReport)).toMatchObject({ attempts: 1, replayed: true });
  });

  it("is sent again after a connection of fetch broke", async () => {
    let sent = 0;
    const brokenOnce: Interceptor = (next) => (request) => {
      sent += 1;
      return sent === 1 ? Promise.reject(new TypeError("Failed to fetch")) : next(request);
    };
    const { clock, attempts, payments } = open({ below: [brokenOnce] });
    await ended(clock, payments.createPayment({}));
    expect({ sent, arrived: attempts.length }).toEqual({ sent: 2, arrived: 1 });
  });

  it("tells the server with each attempt what is left of its timeout", async () => {
    const { clock, attempts, payments } = open({
      answers: [fails(Code.Unavailable, { "grpc-retry-pushback-ms": "1000" })],
    });
    await ended(clock, payments.createPayment({}, { timeoutMs: 20_000 }));
    const [first, second] = attempts.map(({ timeoutMs = 0 }) => timeoutMs);
    expect(first).toBeLessThanOrEqual(20_000);
    expect(second).toBeLessThanOrEqual(18_950); // the server's delay and half the initial backoff
    expect(second).toBeGreaterThan(10_000);
  });

  it("is not retried past its timeout", async () => {
    const { clock, attempts, payments } = open({
      answers: [fails(Code.Unavailable, { "grpc-retry-pushback-ms": "30000" })],
    });
    const call = payments.createPayment({}, { timeoutMs: 20_000 });
    await expect(ended(clock, call)).rejects.toMatchObject({ code: Code.Unavailable });
    expect(attempts).toHaveLength(1);
  });

  it("ends as cancelled when its caller cancels between two attempts", async () => {
    const { clock, attempts, payments } = open({
      answers: [fails(Code.Aborted, { "grpc-retry-pushback-ms": "30000" })],
    });
    const cancellation = new AbortController();
    const contextValues = createContextValues();
    const call = payments.createPayment({}, { signal: cancellation.signal, contextValues });
    call.catch(() => {}); // looked at below
    await clock.advance(1_000);
    cancellation.abort();
    await expect(call).rejects.toMatchObject({ code: Code.Canceled });
    expect(attempts).toHaveLength(1);
    expect(contextValues.get(callReport)).toMatchObject({ attempts: 1, replayed: false });
  });

  it("gets no key and no retry if it needs none", async () => {
    const { clock, reads, payments } = open();
    const contextValues = createContextValues();
    const call = payments.getPayment({}, { contextValues });
    await expect(ended(clock, call)).rejects.toMatchObject({ code: Code.Unavailable });
    expect(reads).toEqual([null]);
    expect(contextValues.get(callReport)).toBeUndefined();
  });
});
