import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { describe, expect, it } from "vitest";
import {
  authenticationGate,
  idempotent,
  serviceImplementation,
} from "../../../src/connect/index.js";
import { ErrorInfoSchema, HelpSchema } from "../../../src/gen/google/rpc/error_details_pb.js";
import type { Identification } from "../../../src/idempotency/execution/call.js";
import { createExecutor } from "../../../src/idempotency/execution/executor.js";
import { executionOf, requestContext } from "../../../src/idempotency/execution/request-context.js";
import { createMemoryStore } from "../../../src/stores/memory/index.js";
import { EchoService } from "../../fixtures/echo/gen/payonce/echo/v1/echo_pb.js";
import { gate, typedHandlers } from "../../fixtures/echo/handlers.js";
import { serveEchoOverHttp } from "../../fixtures/echo/http.js";
import { StreamService } from "../../fixtures/gen/payonce/test/v1/policies_pb.js";

const KEY = { "idempotency-key": "k" };

describe("a handler in Connect's own style", () => {
  it("that throws a ConnectError gives the answer for good if its code says so", async () => {
    let executions = 0;
    const { post } = await serveEchoOverHttp({
      act() {
        executions += 1;
        throw new ConnectError("gone \ud83d", Code.FailedPrecondition, { "x-shelf": "7" }, [
          { desc: HelpSchema, value: { links: [{ url: "https://example.com" }] } },
        ]);
      },
    });
    const first = await post("Act", {}, KEY);
    const second = await post("Act", {}, KEY);
    expect(first).toMatchObject({
      status: 400,
      body: {
        code: "failed_precondition",
        message: "gone \ufffd",
        details: [{ type: "google.rpc.Help", debug: { links: [{ url: "https://example.com" }] } }],
      },
    });
    expect(second.body).toEqual(first.body);
    for (const { headers } of [first, second]) {
      expect(headers.get("x-shelf")).toBe("7");
    }
    expect(second.headers.get("idempotency-replayed")).toBe("true");
    expect(executions).toBe(1);
  });

  it("passes on another service's error without that response's headers", async () => {
    const upstream = await serveEchoOverHttp({
      read() {
        throw new ConnectError("upstream", Code.NotFound, { "x-upstream": "1" }, [
          { desc: ErrorInfoSchema, value: { reason: "UPSTREAM" } },
        ]);
      },
    });
    const client = createClient(
      EchoService,
      createConnectTransport({ baseUrl: upstream.url, httpVersion: "1.1" }),
    );
    const { post } = await serveEchoOverHttp({ act: () => client.read({}) });
    for (const replayed of [null, "true"]) {
      const answer = await post("Act", {}, KEY);
      expect(answer).toMatchObject({
        status: 404,
        body: { code: "not_found", details: [{ debug: { reason: "UPSTREAM" } }] },
      });
      expect(answer.headers.has("x-upstream")).toBe(false);
      expect(answer.headers.get("idempotency-replayed")).toBe(replayed);
    }
  });

  it("that throws anything else leaves the outcome unknown", async () => {
    const { post } = await serveEchoOverHttp({
      act() {
        throw new Error("secret detail");
      },
    });
    for (const answer of [await post("Act", {}, KEY), await post("Act", {}, KEY)]) {
      expect(answer).toMatchObject({ status: 503, body: { code: "unavailable" } });
      expect(JSON.stringify(answer.body)).not.toContain("secret");
    }
  });

  it("finds its claim and its caller by the request", async () => {
    const contexts: unknown[] = [];
    const { url, post } = await serveEchoOverHttp({
      act(request) {
        contexts.push(executionOf(request)?.scope.key);
        return {};
      },
      read(request) {
        contexts.push(executionOf(request));
        return {};
      },
      async *watch(request) {
        contexts.push(requestContext(request)?.caller.tenant);
        yield {};
      },
    });
    await post("Act", {}, KEY);
    await post("Read", {}, KEY);
    const transport = createConnectTransport({ baseUrl: url, httpVersion: "1.1" });
    for await (const _ of createClient(EchoService, transport).watch({})) {
      // to its end
    }
    expect(contexts).toEqual(["k", undefined, "default"]);
  });

  it("keeps its `this`, and a method without a handler is unimplemented", async () => {
    class Echo {
      readonly name = "state";
      act() {
        return { text: this.name };
      }
    }
    const { post } = await serveEchoOverHttp(new Echo());
    expect(await post("Act", {}, KEY)).toMatchObject({ body: { text: "state" } });
    expect(await post("ActRepeatably", {}, KEY)).toMatchObject({ status: 501 });
  });
});

describe("a caller that hangs up", () => {
  it("stops nothing: the answer waits for its retry", async () => {
    const began = gate();
    const mayEnd = gate();
    const aborted: boolean[] = [];
    const { url, post, executor } = await serveEchoOverHttp({
      async act({ text }, { signal }) {
        began.open();
        await mayEnd.opened;
        aborted.push(signal.aborted);
        return { text };
      },
    });
    const abort = new AbortController();
    const hungUp = fetch(`${url}/${EchoService.typeName}/Act`, {
      method: "POST",
      headers: { "content-type": "application/json", ...KEY },
      body: JSON.stringify({ text: "t" }),
      signal: abort.signal,
    });
    await began.opened;
    abort.abort();
    await expect(hungUp).rejects.toThrow();
    await sleep(50); // the server hears of it
    expect(await post("Act", { text: "t" }, KEY)).toMatchObject({ status: 409 });

    mayEnd.open();
    await executor.drained();
    const retried = await post("Act", { text: "t" }, KEY);
    expect(retried.body).toEqual({ text: "t" });
    expect(retried.headers.get("idempotency-replayed")).toBe("true");
    expect(aborted).toEqual([false]);
  });
});

describe("who calls", () => {
  const authenticate = ({ requestHeader }: { requestHeader: Headers }): Identification => {
    const tenant = requestHeader.get("x-tenant");
    return tenant === null
      ? {
          kind: "refused",
          error: {
            code: Code.Unauthenticated,
            reason: "WHO_ARE_YOU",
            message: "say who you are",
            next: "fix_request",
          },
        }
      : { kind: "caller", caller: { tenant, role: "caller" } };
  };
  const refused = {
    status: 401,
    body: { code: "unauthenticated", details: [{ debug: { reason: "WHO_ARE_YOU" } }] },
  };

  it("scopes the key, and is told to the handler", async () => {
    const tenants: string[] = [];
    const handlers = typedHandlers(async ({ text }, { caller }) => {
      tenants.push(caller.tenant);
      return { text };
    });
    const { post } = await serveEchoOverHttp(serviceImplementation(EchoService, handlers), {
      authenticate,
    });
    for (const tenant of ["acme", "umbrella", "acme"]) {
      await post("Act", { text: tenant }, { ...KEY, "x-tenant": tenant });
    }
    expect(await post("Act", {}, KEY)).toMatchObject(refused);
    expect(await post("Read", {})).toMatchObject(refused);
    expect(tenants).toEqual(["acme", "umbrella"]);
  });

  it("is asked before the request is read where the gate stands", async () => {
    const { post } = await serveEchoOverHttp(
      { act: () => ({}) },
      { authenticate, requestGate: authenticationGate(authenticate) },
    );
    expect(await post("Act", "{ not JSON", KEY)).toMatchObject(refused);
    expect(await post("Act", "{ not JSON", { "x-tenant": "acme" })).toMatchObject({ status: 400 });
    // Larger than any request may be, which is nobody's concern who is refused.
    expect(await post("Act", { text: "x".repeat(100_000) }, KEY)).toMatchObject(refused);
  });

  it("lets nobody in by an answer that is neither a caller nor a refusal", async () => {
    // As a program without types may give: the form of a refusal before it had a kind.
    const untyped = () => ({ code: 16, reason: "CALLER_UNAUTHENTICATED" }) as unknown;
    const { post } = await serveEchoOverHttp(
      { act: () => ({}) },
      {
        authenticate: untyped as typeof authenticate,
        requestGate: authenticationGate(untyped as typeof authenticate),
      },
    );
    expect((await post("Act", {}, KEY)).status).toBeGreaterThanOrEqual(400);
  });
});

describe("a gate before a service that does not authenticate by itself", () => {
  it("tells it who calls: the key of one tenant is not another's", async () => {
    const handlers = typedHandlers(async (_, { caller }) => ({ text: caller.tenant }));
    const authenticate = ({ requestHeader }: { requestHeader: Headers }): Identification => ({
      kind: "caller",
      caller: { tenant: requestHeader.get("x-tenant") ?? "", role: "caller" },
    });
    const { post } = await serveEchoOverHttp(serviceImplementation(EchoService, handlers), {
      requestGate: authenticationGate(authenticate),
    });
    for (const tenant of ["acme", "umbrella"]) {
      const answer = await post("Act", {}, { ...KEY, "x-tenant": tenant });
      expect(answer.body).toEqual({ text: tenant });
    }
  });
});

describe("a service whose options contradict themselves", () => {
  it("is refused before anything is served", () => {
    const executor = createExecutor({ store: createMemoryStore() });
    expect(() => idempotent(StreamService, {}, { executor })).toThrow("a stream cannot");
  });
});
