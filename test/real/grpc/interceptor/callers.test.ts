import { setTimeout as sleep } from "node:timers/promises";
import { ServerInterceptingCall, type ServerInterceptor, status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { serviceImplementation } from "../../../../src/grpc/index.js";
import { createExecutor } from "../../../../src/idempotency/execution/executor.js";
import { createMemoryStore } from "../../../../src/stores/memory/index.js";
import { EchoService } from "../../../fixtures/echo/gen/payonce/echo/v1/echo_pb.js";
import { detailsOf, echo, echoed, serveEcho } from "../../../fixtures/echo/grpc.js";
import {
  countingHandler,
  type EchoHandler,
  gate,
  typedHandlers,
} from "../../../fixtures/echo/handlers.js";
import { hangUpEarly } from "../../../fixtures/echo/http2-call.js";

/** A server whose handler begins, and then waits until it may end. */
async function serveWaiting() {
  const began = gate();
  const mayEnd = gate();
  const { counter, handler } = countingHandler();
  const cancellations: string[] = [];
  const act: EchoHandler = (call, callback) => {
    call.on("cancelled", () => cancellations.push(call.request.text));
    began.open();
    void mayEnd.opened.then(() => handler(call, callback));
  };
  const server = await serveEcho({ act, read: act });
  return { ...server, began: began.opened, end: mayEnd.open, counter, cancellations };
}

describe("a caller that hangs up while its call executes", () => {
  it("stops nothing: the answer waits for its retry", async () => {
    const { start, call, executor, began, end, counter, cancellations } = await serveWaiting();
    const hungUp = start(echo({ key: "k", text: "t" }));
    await began;
    hungUp.call.cancel();
    expect((await hungUp.answer).code).toBe(status.CANCELLED);
    await sleep(50); // the server hears of it

    expect(detailsOf(await call(echo({ key: "k", text: "t" }))).reason).toBe("REQUEST_IN_PROGRESS");
    end();
    await executor.drained();
    const retried = await call(echo({ key: "k", text: "t" }));
    expect(echoed(retried).text).toBe("t");
    expect(retried.headers).toHaveProperty("idempotency-replayed", ["true"]);
    expect(counter.executions).toBe(1);
    expect(cancellations).toEqual([]);
  });

  it("or whose deadline passes, likewise", async () => {
    const { call, executor, began, end, counter, cancellations } = await serveWaiting();
    const request = echo({ key: "k", text: "t" });
    const late = call({ ...request, options: { deadline: Date.now() + 200 } });
    await began;
    expect((await late).code).toBe(status.DEADLINE_EXCEEDED);
    await sleep(50);

    end();
    await executor.drained();
    expect((await call(request)).headers).toHaveProperty("idempotency-replayed", ["true"]);
    expect(counter.executions).toBe(1);
    expect(cancellations).toEqual([]);
  });

  it("ends a call without side effects", async () => {
    const { start, began, cancellations } = await serveWaiting();
    const hungUp = start(echo({ text: "read" }, "Read"));
    await began;
    hungUp.call.cancel();
    await expect.poll(() => cancellations).toEqual(["read"]);
  });
});

describe("a caller that hangs up", () => {
  it("while its key is being claimed has its call executed nevertheless", async () => {
    const store = createMemoryStore();
    const claiming = gate();
    const mayClaim = gate();
    const executor = createExecutor({
      store: {
        ...store,
        async claim(request) {
          claiming.open();
          await mayClaim.opened;
          return store.claim(request);
        },
      },
    });
    const { counter, handler } = countingHandler();
    const { start, call } = await serveEcho({ act: handler }, { executor });
    const hungUp = start(echo({ key: "k" }));
    await claiming.opened;
    hungUp.call.cancel();
    await hungUp.answer;
    await sleep(50);

    mayClaim.open();
    await executor.drained();
    expect(counter.executions).toBe(1);
    expect((await call(echo({ key: "k" }))).headers).toHaveProperty("idempotency-replayed");
  });

  it("before its request has arrived burns no key", async () => {
    const seen = gate();
    const before: ServerInterceptor = (_definition, nextCall) => {
      seen.open();
      return new ServerInterceptingCall(nextCall);
    };
    const { counter, handler } = countingHandler();
    const { port, call, executor } = await serveEcho({ act: handler }, { before });
    await hangUpEarly(port, echo({ key: "k" }));
    await seen.opened;
    await sleep(50);
    await executor.drained();
    expect(counter.executions).toBe(0);
    expect((await call(echo({ key: "k" }))).headers).not.toHaveProperty("idempotency-replayed");
  });

  it("once it has its answer changes nothing", async () => {
    const { counter, handler } = countingHandler();
    const { start, call } = await serveEcho({ act: handler });
    const answered = start(echo({ key: "k" }));
    expect((await answered.answer).code).toBe(status.OK);
    answered.call.cancel();
    expect((await call(echo({ key: "k" }))).headers).toHaveProperty("idempotency-replayed");
    expect(counter.executions).toBe(1);
  });

  it("stops waiting for the call that it repeats", async () => {
    const { open, opened } = gate();
    const { counter, handler } = countingHandler();
    const act: EchoHandler = (call, callback) => void opened.then(() => handler(call, callback));
    const { call, executor } = await serveEcho({ actWhileOthersWait: act });
    const request = echo({ key: "k" }, "ActWhileOthersWait");
    const first = call(request);
    const duplicate = await call({ ...request, options: { deadline: Date.now() + 200 } });
    expect(duplicate.code).toBe(status.DEADLINE_EXCEEDED);
    open();
    expect((await first).code).toBe(status.OK);
    await executor.drained();
    expect(counter.executions).toBe(1);
  });
});

describe("a caller whose deadline passes before its call begins", () => {
  it("burns no key, also where the server is too busy to notice", async () => {
    const before: ServerInterceptor = (_definition, nextCall) =>
      new ServerInterceptingCall(nextCall, {
        start: (next) =>
          next({
            onReceiveHalfClose(halfClose) {
              while (Date.now() <= Number(nextCall.getDeadline())) {
                // keeps the process from hearing its timers
              }
              halfClose();
            },
          }),
      });
    const { counter, handler } = countingHandler();
    const { call, executor } = await serveEcho({ act: handler, read: handler }, { before });
    for (const method of ["Act", "Read"] as const) {
      const options = { deadline: Date.now() + 200 };
      const late = await call({ ...echo({ key: "k" }, method), options });
      expect(late.code).toBe(status.DEADLINE_EXCEEDED);
    }
    await executor.drained();
    expect(counter.executions).toBe(0);
    const idle = await serveEcho({ act: handler }, { executor });
    const answer = await idle.call(echo({ key: "k" }));
    expect(answer.headers).not.toHaveProperty("idempotency-replayed");
    expect(counter.executions).toBe(1);
  });
});

describe("a handler that lasts longer than it may", () => {
  it("has its late answer thrown away, and is told to stop", async () => {
    const { open, opened } = gate();
    const stopped: boolean[] = [];
    const executor = createExecutor({ store: createMemoryStore(), maxExecutionMs: 100 });
    const handlers = typedHandlers(async ({ text }, { signal }) => {
      await opened;
      stopped.push(signal.aborted);
      return { text };
    });
    const { call } = await serveEcho(serviceImplementation(EchoService, handlers), { executor });
    const answer = await call(echo({ key: "k", text: "late" }));
    expect(detailsOf(answer).reason).toBe("OUTCOME_UNKNOWN");
    open();
    await expect.poll(() => stopped).toEqual([true]);
    const again = await call(echo({ key: "k", text: "late" }));
    expect(detailsOf(again).reason).toBe("OUTCOME_UNKNOWN");
  });
});
