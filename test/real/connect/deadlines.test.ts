import { create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { serviceImplementation } from "../../../src/connect/index.js";
import { EchoRequestSchema, EchoService } from "../../fixtures/echo/gen/payonce/echo/v1/echo_pb.js";
import { gate, typedHandlers } from "../../fixtures/echo/handlers.js";
import { serveEchoOverHttp } from "../../fixtures/echo/http.js";
import { postAs, WEB_PROTOCOLS, type WebAnswer } from "../../support/calls/web-call.js";

const DEADLINE_MS = 200;

/** No caller of a server that keeps to the deadline waits for as long. */
const FAR_TOO_LONG_MS = 5_000;

/** Handlers that begin, and then wait until they may end, whatever their signal says. */
async function serveWaiting() {
  const mayEnd = gate();
  const seen: { readonly aborted: boolean }[] = [];
  const handlers = typedHandlers(async ({ text }, { signal }) => {
    await mayEnd.opened;
    seen.push({ aborted: signal.aborted });
    return { text, execution: seen.length };
  });
  const server = await serveEchoOverHttp(serviceImplementation(EchoService, handlers));
  return { ...server, end: mayEnd.open, seen };
}

const BODY = toBinary(EchoRequestSchema, create(EchoRequestSchema, { text: "t" }));

describe.each(WEB_PROTOCOLS)("over %s a deadline that passes", (protocol) => {
  const call = (
    url: string,
    method: string,
    options: { readonly key?: string; readonly timeoutMs?: number } = {},
  ): Promise<WebAnswer> =>
    postAs(protocol, {
      url: `${url}/${EchoService.typeName}/${method}`,
      json: { text: "t" },
      binary: BODY,
      limitMs: FAR_TOO_LONG_MS,
      ...options,
    });

  it("is told then, while the call goes on: a retry gets the answer", async () => {
    const { url, end, seen, executor } = await serveWaiting();
    const late = await call(url, "Act", { key: "k", timeoutMs: DEADLINE_MS });
    expect(late).toMatchObject({
      status: "DEADLINE_EXCEEDED",
      reason: "OUTCOME_UNKNOWN",
      next: "retry_same_key",
    });
    expect(await call(url, "Act", { key: "k" })).toMatchObject({ reason: "REQUEST_IN_PROGRESS" });

    end();
    await executor.drained();
    expect(seen).toEqual([{ aborted: false }]);
    expect(await call(url, "Act", { key: "k" })).toMatchObject({ status: "OK", replayed: true });
    expect(seen).toHaveLength(1);
  });

  it("is told to a duplicate that waits for the call that it repeats", async () => {
    const { url, end, executor } = await serveWaiting();
    const first = call(url, "ActWhileOthersWait", { key: "k" });
    await expect
      .poll(() => call(url, "ActWhileOthersWait", { key: "k", timeoutMs: DEADLINE_MS }))
      .toMatchObject({ status: "DEADLINE_EXCEEDED" });
    end();
    expect(await first).toMatchObject({ status: "OK" });
    await executor.drained();
  });

  it("leaves it to the caller to look up what a call without a key did", async () => {
    const { url, end, seen } = await serveWaiting();
    expect(await call(url, "ActWithOptionalKey", { timeoutMs: DEADLINE_MS })).toMatchObject({
      status: "DEADLINE_EXCEEDED",
      reason: "OUTCOME_UNKNOWN",
      next: "look_up",
    });
    end();
    await expect.poll(() => seen).toEqual([{ aborted: false }]);
  });

  it("ends a call without side effects", async () => {
    const { url, end, seen } = await serveWaiting();
    expect(await call(url, "Read", { timeoutMs: DEADLINE_MS })).toMatchObject({
      status: "DEADLINE_EXCEEDED",
      reason: "NOT_EXECUTED",
    });
    end();
    await expect.poll(() => seen).toEqual([{ aborted: true }]);
  });

  it("before the call has begun burns no key", async () => {
    const { url, end, seen } = await serveWaiting();
    end();
    for (const method of ["Act", "Read"]) {
      expect(await call(url, method, { key: "k", timeoutMs: 0 })).toMatchObject({
        status: "DEADLINE_EXCEEDED",
        reason: "NOT_EXECUTED",
        next: "retry_same_key",
      });
    }
    expect(seen).toEqual([]);
    expect(await call(url, "Act", { key: "k" })).toMatchObject({ status: "OK", replayed: false });
  });

  it.each(["9".repeat(8), "-1", "soon", ""])(
    "is refused where it is absurd, such as %j, and burns no key",
    async (timeout) => {
      const { url, end, seen } = await serveWaiting();
      end();
      const absurd: Record<string, string> =
        protocol === "gRPC-Web"
          ? { "grpc-timeout": `${timeout}H` }
          : { "connect-timeout-ms": timeout && `${timeout}00` };
      const refused = await postAs(protocol, {
        url: `${url}/${EchoService.typeName}/Act`,
        json: {},
        binary: new Uint8Array(),
        limitMs: FAR_TOO_LONG_MS,
        key: "k",
        headers: absurd,
      });
      expect(refused.status).toBe("INVALID_ARGUMENT");
      expect(seen).toEqual([]);
    },
  );
});

describe("a stream whose deadline passes", () => {
  it.each(["heeds its signal", "does not"])(
    "ends with DEADLINE_EXCEEDED where its handler %s",
    async (manner) => {
      const forever = new Promise<void>(() => {});
      const { url } = await serveEchoOverHttp({
        async *watch({ text }, { signal }) {
          yield { text };
          const aborted = new Promise((resolve) => signal.addEventListener("abort", resolve));
          await (manner === "heeds its signal" ? aborted : forever);
        },
      });
      const answer = await postAs("gRPC-Web", {
        url: `${url}/${EchoService.typeName}/Watch`,
        json: {},
        binary: BODY,
        timeoutMs: DEADLINE_MS,
        limitMs: FAR_TOO_LONG_MS,
      });
      expect(answer).toMatchObject({ status: "DEADLINE_EXCEEDED", messages: [BODY_OF_ANSWER] });
    },
  );
});

/** The text alone, in the field of its response. */
const BODY_OF_ANSWER = Buffer.from([0x0a, 1, "t".charCodeAt(0)]);
