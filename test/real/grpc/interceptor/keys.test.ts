import { status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { serviceImplementation } from "../../../../src/grpc/index.js";
import { EchoService } from "../../../fixtures/echo/gen/payonce/echo/v1/echo_pb.js";
import { detailsOf, echo, echoed, serveEcho } from "../../../fixtures/echo/grpc.js";
import { countingHandler, typedHandlers } from "../../../fixtures/echo/handlers.js";

describe("the key of a call", () => {
  it("is the same bare, quoted, in the field, or in both", async () => {
    const { counter, handler } = countingHandler();
    const { call } = await serveEcho({ act: handler });
    for (const request of [
      echo({ key: "abc" }),
      echo({ key: '"abc"' }),
      echo({ idempotencyKey: "abc" }),
      echo({ key: "abc", idempotencyKey: "abc" }),
    ]) {
      expect(echoed(await call(request)).execution).toBe(1);
    }
    expect(counter.executions).toBe(1);
  });

  it.each([
    ["absent", echo({}), "IDEMPOTENCY_KEY_MISSING", "idempotency_key"],
    ["with a space", echo({ key: "a b" }), "IDEMPOTENCY_KEY_INVALID", "idempotency-key"],
    ["empty", echo({ key: "" }), "IDEMPOTENCY_KEY_INVALID", "idempotency-key"],
    ["too long", echo({ key: "k".repeat(256) }), "IDEMPOTENCY_KEY_INVALID", "idempotency-key"],
    [
      "sent twice",
      {
        ...echo({}),
        metadata: [
          ["idempotency-key", "k"],
          ["idempotency-key", "k"],
        ] as const,
      },
      "IDEMPOTENCY_KEY_INVALID",
      "idempotency-key",
    ],
    [
      "not ASCII in the field",
      echo({ idempotencyKey: "ż" }),
      "IDEMPOTENCY_KEY_INVALID",
      "idempotency_key",
    ],
    [
      "one in the metadata and another in the field",
      echo({ key: "a", idempotencyKey: "b" }),
      "IDEMPOTENCY_KEY_CONFLICT",
      "idempotency_key",
    ],
  ])("is refused where it is %s", async (_name, request, reason, field) => {
    const { counter, handler } = countingHandler();
    const { call } = await serveEcho({ act: handler });
    const answer = await call(request);
    expect(answer).toMatchObject({ code: status.INVALID_ARGUMENT, headers: undefined });
    expect(answer.trailers).toHaveProperty("grpc-retry-pushback-ms", ["-1"]);
    expect(detailsOf(answer)).toEqual({
      code: status.INVALID_ARGUMENT,
      reason,
      next: "fix_request",
      field,
    });
    expect(counter.executions).toBe(0);
  });

  it("may be left out where the policy says so, and protects where it is sent", async () => {
    const { counter, handler } = countingHandler();
    const { call } = await serveEcho({ actWithOptionalKey: handler });
    const withKey = echo({ key: "k" }, "ActWithOptionalKey");
    const withoutKey = echo({}, "ActWithOptionalKey");
    expect(echoed(await call(withoutKey)).execution).toBe(1);
    expect(echoed(await call(withoutKey)).execution).toBe(2);
    expect(echoed(await call(withKey)).execution).toBe(3);
    expect(echoed(await call(withKey)).execution).toBe(3);
    expect(counter.executions).toBe(3);
  });

  it("means nothing to a method without side effects", async () => {
    const { counter, handler } = countingHandler();
    const { call } = await serveEcho({ read: handler });
    for (const execution of [1, 2]) {
      const answer = await call(echo({ key: "k" }, "Read"));
      expect(echoed(answer).execution).toBe(execution);
      expect(answer.headers).not.toHaveProperty("idempotency-replayed");
    }
    expect(counter.executions).toBe(2);
  });
});

describe("a typed handler", () => {
  it("is told who calls, and of the claim where there is a key", async () => {
    const contexts: object[] = [];
    const handlers = typedHandlers(async ({ text }, { caller, execution }) => {
      contexts.push({ caller, scope: execution?.scope, attempt: execution?.attempt });
      return { text };
    });
    const { call } = await serveEcho(serviceImplementation(EchoService, handlers), {
      authenticate: (metadata) => ({
        kind: "caller",
        caller: { tenant: String(metadata.get("x-tenant")[0]), role: "caller" },
      }),
    });
    const from = (tenant: string, request: ReturnType<typeof echo>) => ({
      ...request,
      metadata: [...(request.metadata ?? []), ["x-tenant", tenant] as const],
    });

    await call(from("acme", echo({ key: "k" })));
    await call(from("umbrella", echo({ key: "k" })));
    await call(from("acme", echo({ key: "k" }, "Read")));
    await call(from("acme", echo({ key: "k" }))); // a replay

    const operation = "payonce.echo.v1.EchoService/Act";
    const acme = { tenant: "acme", role: "caller" };
    expect(contexts).toEqual([
      { caller: acme, scope: { tenant: "acme", operation, key: "k" }, attempt: 1 },
      {
        caller: { tenant: "umbrella", role: "caller" },
        scope: { tenant: "umbrella", operation, key: "k" },
        attempt: 1,
      },
      { caller: acme, scope: undefined, attempt: undefined },
    ]);
  });
});

describe("a caller who is refused", () => {
  it("learns why, and burns no key", async () => {
    const { counter, handler } = countingHandler();
    const { call } = await serveEcho(
      { act: handler, read: handler },
      {
        authenticate: (metadata) =>
          metadata.get("authorization").length === 0
            ? {
                kind: "refused",
                error: {
                  code: status.UNAUTHENTICATED,
                  reason: "WHO_ARE_YOU",
                  message: "say who you are",
                  next: "fix_request",
                },
              }
            : { kind: "caller", caller: { tenant: "acme", role: "caller" } },
      },
    );
    for (const request of [echo({ key: "k", text: "other" }), echo({}, "Read")]) {
      const refused = await call(request);
      expect(refused).toMatchObject({ code: status.UNAUTHENTICATED, headers: undefined });
      expect(detailsOf(refused).reason).toBe("WHO_ARE_YOU");
    }
    expect(counter.executions).toBe(0);

    const known = echo({ key: "k", text: "t" });
    const metadata = [...(known.metadata ?? []), ["authorization", "me"] as const];
    expect((await call({ ...known, metadata })).code).toBe(status.OK);
  });

  it("is refused too when finding out who it is fails, and the server lives on", async () => {
    const { counter, handler } = countingHandler();
    const { call } = await serveEcho(
      { act: handler },
      {
        authenticate: (metadata) => {
          if (metadata.get("x-odd").length > 0) {
            throw new Error("secret detail");
          }
          return { kind: "caller", caller: { tenant: "acme", role: "caller" } };
        },
      },
    );
    const odd = await call({
      ...echo({}),
      metadata: [
        ["idempotency-key", "k"],
        ["x-odd", "1"],
      ],
    });
    expect(odd).toMatchObject({ code: status.INTERNAL, headers: undefined });
    expect(odd.details).not.toContain("secret");
    expect(counter.executions).toBe(0);
    expect((await call(echo({ key: "k" }))).code).toBe(status.OK);
  });
});
