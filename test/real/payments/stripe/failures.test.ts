import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { FaultAction } from "../../../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import { ProcessorRefused } from "../../../../src/payments/processor.js";
import { authorization, openStripe, reply, runDouble, runFace, SECRET } from "./support.js";

const approved = { kind: "approved" };

describe("a call whose answer is lost is unknown, is sent once, and its repetition has one effect", () => {
  it.each([FaultAction.DROP_BEFORE, FaultAction.DROP_AFTER])("fault %i", async (action) => {
    const { processor, journal } = await runFace();
    await journal.arm({ action });
    const request = authorization("lost");
    await expect(processor.authorize(request)).rejects.toThrow(/^Stripe: CONNECTION_/);
    expect(await journal.countCalls()).toBe(1n);
    expect(await processor.authorize(request)).toMatchObject(approved);
    expect(await journal.effectsOf("pay_lost")).toHaveLength(1);
  });
});

it("a 500 after the charge is kept by Stripe, and only a look-up finds out", async () => {
  const { processor, journal } = await runFace();
  const request = authorization("error", "tok_error_after_charge");
  await expect(processor.authorize(request)).rejects.toThrow("status 500");
  await expect(processor.authorize(request)).rejects.toThrow("status 500");
  expect(await processor.lookUp({ ...request, kind: "create" })).toMatchObject({
    decision: approved,
  });
  expect(await journal.effectsOf("pay_error")).toHaveLength(1);
});

it("silence ends at the time limit, and so does an answer that drips", async () => {
  const { open } = await runFace();
  const start = performance.now();
  const silent = open({ timeoutMs: 300 }).authorize(authorization("silent", "tok_never"));
  await expect(silent).rejects.toThrow("TIMEOUT");

  const dripping = await runDouble((_, response) => {
    response.writeHead(200, { "content-type": "application/json" });
    const drip = setInterval(() => response.write(" "), 20);
    response.on("close", () => clearInterval(drip));
  });
  const { apiBase } = dripping;
  const slow = openStripe({ apiBase, timeoutMs: 300 }).authorize(authorization("drip"));
  await expect(slow).rejects.toThrow("TIMEOUT");
  expect(performance.now() - start).toBeLessThan(3_000);
});

it("two calls under one key at once: one of them is told that it is in flight, which is unknown", async () => {
  const { processor, journal } = await runFace();
  const request = authorization("twice", "tok_slow");
  const first = processor.authorize(request);
  await new Promise((resolve) => setTimeout(resolve, 200));
  await expect(processor.authorize(request)).rejects.toThrow("status 409");
  expect(await first).toMatchObject(approved);
  expect(await journal.effectsOf("pay_twice")).toHaveLength(1);
});

describe("what is no answer of Stripe's is unknown, and is asked for once", () => {
  const answers: Record<string, readonly [number, string]> = {
    "no JSON": [200, "<html>"],
    "another object": [200, "{}"],
    nothing: [200, "null"],
    "an error without a type": [503, '{"error":{}}'],
    "a server's error without a body": [500, "{}"],
    "a wrong type": [200, '{"object":"payment_intent","status":"requires_action"}'],
    "no name of an intent": [200, '{"object":"payment_intent","status":"succeeded"}'],
    "too many calls": [429, '{"error":{"type":"invalid_request_error","code":"rate_limit"}}'],
  };
  it.each(Object.entries(answers))("%s", async (_, [status, body]) => {
    const { apiBase, calls } = await runDouble((_request, response) => {
      response.writeHead(status, { "stripe-should-retry": "true" });
      response.end(body);
    });
    const refused = openStripe({ apiBase }).authorize(authorization("odd"));
    await expect(refused).rejects.toThrow();
    await expect(refused).rejects.not.toBeInstanceOf(ProcessorRefused);
    expect(calls()).toBe(1);
  });
});

it("sends the derived key, the pinned version, no telemetry, and our names", async () => {
  const heads: NodeJS.Dict<string | string[]>[] = [];
  const { apiBase } = await runDouble((request, response) => {
    heads.push(request.headers);
    reply(response, 200, {});
  });
  const processor = openStripe({ apiBase });
  await processor.authorize(authorization("head")).catch(() => undefined);
  await processor.authorize(authorization("head")).catch(() => undefined);
  expect(heads.map((head) => head["idempotency-key"])).toEqual(["pk_head", "pk_head"]);
  expect(heads[1]?.["stripe-version"]).toBe("2026-10-28.endive");
  expect(heads[1]?.["x-stripe-client-telemetry"]).toBeUndefined();
});

describe("a key that Stripe refuses", () => {
  const refusing = (status: number) =>
    runDouble((_, response) =>
      reply(response, status, {
        error: {
          type: "invalid_request_error",
          message: `Invalid API Key provided: ${SECRET}, sk_test_****RKED`,
          code: SECRET,
        },
      }),
    );

  it.each([401, 403])("is unknown for a payment, and named by the check: %i", async (status) => {
    const { apiBase } = await refusing(status);
    const processor = openStripe({ apiBase });
    const { name, ...request } = { ...authorization("key"), name: "" };
    const errors: unknown[] = [];
    for (const call of [
      () => processor.authorize(request),
      () => processor.capture(request),
      () => processor.refund({ ...request, authorization: "pi_1" }),
      () => processor.void({ ...request, authorization: "pi_1" }),
      () => processor.lookUp({ ...request, kind: "create" }),
    ]) {
      const error = await call().catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(Error);
      expect(error).not.toBeInstanceOf(ProcessorRefused);
      errors.push(error);
    }
    const error = await processor.check().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ProcessorRefused);
    expect(error).toMatchObject({ detail: expect.stringMatching(/^STRIPE_SECRET_KEY accepts/) });
    for (const each of [...errors, error, processor]) {
      expect(inspect(each, { depth: 20, showHidden: true })).not.toMatch(/MARKED|RKED/);
    }
  });

  it("is told apart from an API that cannot be reached", async () => {
    const processor = openStripe({ apiBase: new URL("http://127.0.0.1:1") });
    await expect(processor.check()).rejects.toThrow(
      "Stripe at http://127.0.0.1:1 does not answer: Stripe: CONNECTION_ECONNREFUSED",
    );
  });

  it("and one that it takes passes", async () => {
    const { processor } = await runFace();
    await expect(processor.check()).resolves.toBeUndefined();
  });
});
