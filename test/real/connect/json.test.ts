import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { describe, expect, it } from "vitest";
import { serviceImplementation } from "../../../src/connect/index.js";
import { Code } from "../../../src/idempotency/answers/code.js";
import { CallError, Final, NotExecuted } from "../../../src/idempotency/answers/errors.js";
import { EchoService } from "../../fixtures/echo/gen/payonce/echo/v1/echo_pb.js";
import { StrictService } from "../../fixtures/echo/gen/payonce/echo/v1/strict_pb.js";
import { typedHandlers } from "../../fixtures/echo/handlers.js";
import { serveEchoOverHttp, serveOverHttp } from "../../fixtures/echo/http.js";

const KEY = { "idempotency-key": "k" };

async function serveCounting() {
  const counter = { executions: 0 };
  const handlers = typedHandlers(async ({ text }) => {
    counter.executions += 1;
    return { text, execution: counter.executions };
  });
  const server = await serveEchoOverHttp(serviceImplementation(EchoService, handlers));
  return { ...server, counter };
}

async function serveFailing(error: unknown) {
  let executions = 0;
  const handlers = typedHandlers(async ({ text }) => {
    executions += 1;
    if (executions === 1) {
      throw error;
    }
    return { text, execution: executions };
  });
  return serveEchoOverHttp(serviceImplementation(EchoService, handlers));
}

describe("a call by hand, with JSON", () => {
  it("is executed once for each key, in the header or in the field", async () => {
    const { post, counter } = await serveCounting();
    const first = await post("Act", { text: "t" }, KEY);
    expect(first).toMatchObject({ status: 200, body: { text: "t", execution: 1 } });
    expect(first.headers.has("idempotency-replayed")).toBe(false);
    for (const [body, headers] of [
      [{ text: "t" }, KEY],
      [{ text: "t" }, { "idempotency-key": '"k"' }],
      [{ text: "t", idempotencyKey: "k" }, {}],
      [{ idempotency_key: "k", text: "t" }, KEY],
    ] as const) {
      const again = await post("Act", body, headers);
      expect(again.body).toEqual(first.body);
      expect(again.headers.get("idempotency-replayed")).toBe("true");
    }
    expect(counter.executions).toBe(1);
  });

  it.each([
    ["no key", { text: "t" }, {}, "IDEMPOTENCY_KEY_MISSING"],
    ["a malformed key", {}, { "idempotency-key": "a b" }, "IDEMPOTENCY_KEY_INVALID"],
    ["two keys that disagree", { idempotencyKey: "other" }, KEY, "IDEMPOTENCY_KEY_CONFLICT"],
  ])("with %s is refused", async (_name, body, headers, reason) => {
    const { post, counter } = await serveCounting();
    const refused = await post("Act", body, headers);
    expect(refused).toMatchObject({
      status: 400,
      body: {
        code: "invalid_argument",
        details: [
          {
            type: "google.rpc.ErrorInfo",
            debug: { reason, domain: "payonce", metadata: { next: "fix_request" } },
          },
          { type: "google.rpc.BadRequest" },
        ],
      },
    });
    expect(counter.executions).toBe(0);
  });

  it("with a header that was sent twice is refused", async () => {
    const { url, counter } = await serveCounting();
    const sent = request(`${url}/${EchoService.typeName}/Act`, {
      method: "POST",
      headers: { "content-type": "application/json", "idempotency-key": ["k", "k"] },
    });
    sent.end("{}");
    const [answer]: IncomingMessage[] = await once(sent, "response");
    expect(answer?.statusCode).toBe(400);
    expect(counter.executions).toBe(0);
  });

  it("with a field that the schema does not have is refused, and burns no key", async () => {
    const { post, counter } = await serveCounting();
    const refused = await post("Act", { text: "t", ammount: 1 }, KEY);
    expect(refused).toMatchObject({ status: 400, body: { code: "invalid_argument" } });
    expect(counter.executions).toBe(0);
    expect(await post("Act", { text: "t" }, KEY)).toMatchObject({ status: 200 });
  });

  it("with the key of another request is refused", async () => {
    const { post } = await serveCounting();
    await post("Act", { text: "one" }, KEY);
    expect(await post("Act", { text: "two" }, KEY)).toMatchObject({
      status: 400,
      body: {
        code: "failed_precondition",
        details: [{ debug: { reason: "IDEMPOTENCY_KEY_REUSED" } }],
      },
    });
  });

  it("without a field that its encoding requires is refused", async () => {
    const { post } = await serveOverHttp(StrictService, { act: () => ({}) });
    expect(await post("Act", {}, KEY)).toMatchObject({
      status: 400,
      body: { code: "invalid_argument", details: [{ debug: { reason: "REQUEST_INVALID" } }] },
    });
  });

  it("with a deadline past a day, or a request past 4 MiB, is refused", async () => {
    const { post } = await serveCounting();
    const late = await post("Act", {}, { ...KEY, "connect-timeout-ms": "86400001" });
    expect(late).toMatchObject({ status: 400, body: { code: "invalid_argument" } });
    const large = await post("Act", { text: "x".repeat(4 * 1024 * 1024) }, KEY);
    expect(large).toMatchObject({ status: 429, body: { code: "resource_exhausted" } });
  });
});

const description = {
  code: Code.RESOURCE_EXHAUSTED,
  reason: "SHELF_EMPTY",
  message: "nothing left ☃ 100 %",
  next: "retry_same_key",
} as const;

describe("an error, with JSON,", () => {
  it("that is final is the answer for good", async () => {
    const { post } = await serveFailing(new Final(description));
    const first = await post("Act", {}, KEY);
    const second = await post("Act", {}, KEY);
    expect(first).toMatchObject({
      status: 429,
      body: {
        code: "resource_exhausted",
        message: description.message,
        details: [{ debug: { reason: "SHELF_EMPTY" } }],
      },
    });
    expect(first.headers.get("grpc-retry-pushback-ms")).toBe("-1");
    expect(first.headers.has("idempotency-replayed")).toBe(false);
    expect(second.body).toEqual(first.body);
    expect(second.headers.get("idempotency-replayed")).toBe("true");
  });

  it("before anything was executed leaves the key free", async () => {
    const { post } = await serveFailing(new NotExecuted({ ...description, retryDelayMs: 120 }));
    const first = await post("Act", {}, KEY);
    expect(first.headers.get("grpc-retry-pushback-ms")).toBe("120");
    expect(first).toMatchObject({
      status: 429,
      body: { details: [{}, { type: "google.rpc.RetryInfo", debug: { retryDelay: "0.120s" } }] },
    });
    expect(await post("Act", {}, KEY)).toMatchObject({ status: 200, body: { execution: 2 } });
  });

  it.each([
    ["a code that says nothing", new CallError(description)],
    ["anything else", new Error("secret detail")],
  ])("from %s leaves the outcome unknown, and its text unsaid", async (_name, error) => {
    const { post } = await serveFailing(error);
    for (const answer of [await post("Act", {}, KEY), await post("Act", {}, KEY)]) {
      expect(answer).toMatchObject({
        status: 503,
        body: { code: "unavailable", details: [{ debug: { reason: "OUTCOME_UNKNOWN" } }, {}] },
      });
      expect(JSON.stringify(answer.body)).not.toContain("secret");
    }
  });

  it.each(["Read", "ActWithOptionalKey"])(
    "of %s without a key keeps its text unsaid",
    async (method) => {
      const { post } = await serveFailing(new Error("secret detail"));
      const answer = await post(method, {});
      expect(answer).toMatchObject({
        status: 500,
        body: { code: "internal", message: "the service failed" },
      });
      expect(JSON.stringify(answer.body)).not.toContain("secret");
    },
  );
});
