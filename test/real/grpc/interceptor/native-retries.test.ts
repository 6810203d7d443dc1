import { status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { toServiceError } from "../../../../src/grpc/index.js";
import {
  type ErrorDescription,
  Final,
  NotExecuted,
} from "../../../../src/idempotency/answers/errors.js";
import { createExecutor } from "../../../../src/idempotency/execution/executor.js";
import { createMemoryStore } from "../../../../src/stores/memory/index.js";
import { echo, echoed, serveEcho } from "../../../fixtures/echo/grpc.js";
import {
  countingHandler,
  type EchoHandler,
  gate,
  response,
} from "../../../fixtures/echo/handlers.js";
import { callOverHttp2 } from "../../../fixtures/echo/http2-call.js";

/** As a client's service config would have it, with backoffs far from every delay below. */
const channel = {
  "grpc.service_config": JSON.stringify({
    methodConfig: [
      {
        name: [{}],
        retryPolicy: {
          maxAttempts: 5,
          initialBackoff: "0.01s",
          maxBackoff: "0.01s",
          backoffMultiplier: 1,
          retryableStatusCodes: ["ABORTED", "UNAVAILABLE"],
        },
      },
    ],
  }),
};

const unavailable: ErrorDescription = {
  code: status.UNAVAILABLE,
  reason: "SHOP_CLOSED",
  message: "closed",
  next: "retry_same_key",
};

function failing(error: Error): { readonly act: EchoHandler; readonly executions: () => number } {
  let executions = 0;
  return {
    act: (call, callback) => {
      executions += 1;
      if (executions < 3) {
        callback(error);
      } else {
        callback(null, response(call.request, executions));
      }
    },
    executions: () => executions,
  };
}

describe("a client that retries natively", () => {
  it("comes back for the answer of a call in flight, as late as it was told", async () => {
    const { open, opened } = gate();
    const { counter, handler } = countingHandler();
    const act: EchoHandler = (call, callback) => void opened.then(() => handler(call, callback));
    const refusals: string[] = [];
    const executor = createExecutor({
      store: createMemoryStore(),
      onEvent: (event) => {
        if (event.type === "refused") {
          refusals.push(event.reason);
          open();
        }
      },
    });
    const { call } = await serveEcho({ act }, { channel, executor });
    const first = call(echo({ key: "k" }));
    const askedAtMs = performance.now();
    const second = await call(echo({ key: "k" }));
    expect(echoed(second).execution).toBe(1);
    expect(second.headers).toHaveProperty("idempotency-replayed", ["true"]);
    // Pushback is at least 50 ms; the backoff alone would have been over after 10.
    expect(performance.now() - askedAtMs).toBeGreaterThan(45);
    expect(refusals).toEqual(["REQUEST_IN_PROGRESS"]);
    expect((await first).code).toBe(status.OK);
    expect(counter.executions).toBe(1);
  });

  it("executes again what was not executed, with the same key, after the delay", async () => {
    const { act, executions } = failing(
      toServiceError(new NotExecuted({ ...unavailable, retryDelayMs: 150 })),
    );
    const { call } = await serveEcho({ act }, { channel });
    const askedAtMs = performance.now();
    expect(echoed(await call(echo({ key: "k" }))).execution).toBe(3);
    expect(performance.now() - askedAtMs).toBeGreaterThan(2 * 150 - 10);
    expect(executions()).toBe(3);
  });

  it("does not retry an error that is final, nor its replay", async () => {
    const { act, executions } = failing(toServiceError(new Final(unavailable)));
    const replays: string[] = [];
    const executor = createExecutor({
      store: createMemoryStore(),
      onEvent: ({ type }) => replays.push(type),
    });
    const { call } = await serveEcho({ act }, { channel, executor });
    for (const request of [echo({ key: "k" }), echo({ key: "k" })]) {
      const answer = await call(request);
      expect(answer.code).toBe(status.UNAVAILABLE);
      expect(answer.trailers).toHaveProperty("grpc-retry-pushback-ms", ["-1"]);
    }
    expect(executions()).toBe(1);
    expect(replays).toEqual(["executed", "replayed"]);
  });

  it("gets the answer although the first attempts could not reach the store", async () => {
    const store = createMemoryStore();
    let failures = 0;
    const executor = createExecutor({
      store: {
        ...store,
        claim(request) {
          failures += 1;
          // One call of the executor asks three times.
          return failures <= 3 ? Promise.reject(new Error("away")) : store.claim(request);
        },
      },
    });
    const { counter, handler } = countingHandler();
    const { call } = await serveEcho({ act: handler }, { channel, executor });
    expect(echoed(await call(echo({ key: "k" }))).execution).toBe(1);
    expect(counter.executions).toBe(1);
  });
});

describe("on the wire", () => {
  it("an error is one block of headers, a success two and a message", async () => {
    const { handler } = countingHandler();
    const act: EchoHandler = (call, callback) =>
      call.request.text === "" ? handler(call, callback) : callback({ code: status.NOT_FOUND });
    const { port } = await serveEcho({ act });
    const answers = {
      success: await callOverHttp2(port, echo({ key: "a" })),
      replayedSuccess: await callOverHttp2(port, echo({ key: "a" })),
      error: await callOverHttp2(port, echo({ key: "b", text: "none" })),
      replayedError: await callOverHttp2(port, echo({ key: "b", text: "none" })),
      refusal: await callOverHttp2(port, echo({})),
    };
    expect(
      Object.entries(answers).map(([name, { headerBlocks, body }]) => [
        name,
        headerBlocks.map((block) => block["grpc-status"]),
        body.length > 0,
      ]),
    ).toEqual([
      ["success", [undefined, "0"], true],
      ["replayedSuccess", [undefined, "0"], true],
      ["error", ["5"], false],
      ["replayedError", ["5"], false],
      ["refusal", ["3"], false],
    ]);
  });
});
