import {
  ResponderBuilder,
  ServerInterceptingCall,
  type ServerInterceptor,
  ServerListenerBuilder,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { serviceImplementation, toServiceError } from "../../../../src/grpc/index.js";
import {
  CallError,
  Final,
  NotExecuted,
  Parked,
} from "../../../../src/idempotency/answers/errors.js";
import { EchoService } from "../../../fixtures/echo/gen/payonce/echo/v1/echo_pb.js";
import {
  detailsOf,
  echo,
  echoed,
  serveEcho,
  withoutReplayMark,
} from "../../../fixtures/echo/grpc.js";
import {
  countingHandler,
  type EchoHandler,
  response,
  typedHandlers,
} from "../../../fixtures/echo/handlers.js";

const busy = {
  code: status.RESOURCE_EXHAUSTED,
  reason: "SHELF_EMPTY",
  message: "nothing left",
  next: "fix_request",
} as const;

const FINAL = [
  status.NOT_FOUND,
  status.ALREADY_EXISTS,
  status.FAILED_PRECONDITION,
  status.OUT_OF_RANGE,
];
const NOT_EXECUTED = [
  status.INVALID_ARGUMENT,
  status.UNAUTHENTICATED,
  status.PERMISSION_DENIED,
  status.UNIMPLEMENTED,
];
const UNKNOWN = [
  status.CANCELLED,
  status.UNKNOWN,
  status.DEADLINE_EXCEEDED,
  status.RESOURCE_EXHAUSTED,
  status.ABORTED,
  status.INTERNAL,
  status.UNAVAILABLE,
  status.DATA_LOSS,
];

/** Fails the first time, and would succeed the second. */
function failingOnce(fail: EchoHandler): {
  readonly act: EchoHandler;
  executions: () => number;
} {
  let executions = 0;
  return {
    act: (call, callback) => {
      executions += 1;
      if (executions === 1) {
        fail(call, callback);
      } else {
        callback(null, response(call.request, executions));
      }
    },
    executions: () => executions,
  };
}

const callingBack =
  (error: Partial<ServiceError>): EchoHandler =>
  (_call, callback) =>
    callback(error);

describe("an error that a handler of grpc-js's own style calls back", () => {
  it.each(FINAL)("with code %s is the answer for good", async (code) => {
    const { act, executions } = failingOnce(callingBack({ code, details: "so it is" }));
    const { call } = await serveEcho({ act });
    const first = await call(echo({ key: "k" }));
    const second = await call(echo({ key: "k" }));
    expect(first).toMatchObject({ code, details: "so it is", headers: undefined });
    expect(withoutReplayMark(second)).toEqual(first);
    expect(executions()).toBe(1);
  });

  it.each(NOT_EXECUTED)("with code %s leaves the key free", async (code) => {
    const { act, executions } = failingOnce(callingBack({ code, details: "not like this" }));
    const { call } = await serveEcho({ act });
    const first = await call(echo({ key: "k" }));
    expect(first).toMatchObject({ code, details: "not like this", headers: undefined });
    expect(echoed(await call(echo({ key: "k", text: "mended" }))).text).toBe("mended");
    expect(executions()).toBe(2);
  });

  it.each(UNKNOWN)("with code %s leaves the outcome unknown", async (code) => {
    const { act, executions } = failingOnce(callingBack({ code, details: "secret detail" }));
    const { call } = await serveEcho({ act });
    for (const answer of [await call(echo({ key: "k" })), await call(echo({ key: "k" }))]) {
      expect(answer).toMatchObject({ code: status.UNAVAILABLE, headers: undefined });
      expect(detailsOf(answer)).toMatchObject({
        reason: "OUTCOME_UNKNOWN",
        next: "look_up",
      });
      expect(answer.details).not.toContain("secret");
    }
    expect(executions()).toBe(1);
  });
});

const unknownBecause: [string, EchoHandler][] = [
  [
    "throws at once",
    () => {
      throw new Error("secret detail");
    },
  ],
  ["calls back a plain error", (_call, callback) => callback(new Error("secret detail"))],
  ["calls back a code that is none", callingBack({ code: 99 as status, details: "secret detail" })],
  ["calls back an error with the code OK", callingBack({ code: status.OK, details: "odd" })],
  ["calls back neither an error nor a message", (_call, callback) => callback(null)],
  [
    "calls back an error that is parked",
    (_call, callback) => callback(toServiceError(new Parked("secret detail"))),
  ],
];

describe("the outcome is unknown where a handler", () => {
  it.each(unknownBecause)("%s", async (_name, fail) => {
    const { act, executions } = failingOnce(fail);
    const { call } = await serveEcho({ act });
    for (const answer of [await call(echo({ key: "k" })), await call(echo({ key: "k" }))]) {
      expect(answer.code).toBe(status.UNAVAILABLE);
      expect(detailsOf(answer).reason).toBe("OUTCOME_UNKNOWN");
      expect(answer.details).not.toContain("secret");
    }
    expect(executions()).toBe(1);
  });
});

describe("what a handler declares", () => {
  it("as final is the answer for good, whatever its code", async () => {
    const { act, executions } = failingOnce(callingBack(toServiceError(new Final(busy))));
    const { call } = await serveEcho({ act });
    const first = await call(echo({ key: "k" }));
    const second = await call(echo({ key: "k" }));
    expect(first).toMatchObject({ code: busy.code, details: busy.message, headers: undefined });
    expect(detailsOf(first).reason).toBe("SHELF_EMPTY");
    expect(withoutReplayMark(second)).toEqual(first);
    expect(second.trailers).toHaveProperty("idempotency-replayed", ["true"]);
    expect(executions()).toBe(1);
  });

  it("as not executed leaves the key free, whatever its code", async () => {
    const { act, executions } = failingOnce(callingBack(toServiceError(new NotExecuted(busy))));
    const { call } = await serveEcho({ act });
    const first = await call(echo({ key: "k" }));
    expect(first.code).toBe(busy.code);
    expect(detailsOf(first).reason).toBe("SHELF_EMPTY");
    expect((await call(echo({ key: "k" }))).code).toBe(status.OK);
    expect(executions()).toBe(2);
  });

  it("by its code alone counts as the code says", async () => {
    const { act, executions } = failingOnce(callingBack(toServiceError(new CallError(busy))));
    const { call } = await serveEcho({ act });
    expect(detailsOf(await call(echo({ key: "k" }))).reason).toBe("OUTCOME_UNKNOWN");
    expect(executions()).toBe(1);
  });
});

describe("a typed handler that throws", () => {
  const throwing = async (thrown: unknown) => {
    const handlers = typedHandlers(async () => {
      throw thrown;
    });
    return serveEcho(serviceImplementation(EchoService, handlers));
  };

  it("a final error answers with it under a key, and without", async () => {
    const { call } = await throwing(new Final(busy));
    for (const request of [echo({ key: "k" }), echo({}, "ActWithOptionalKey"), echo({}, "Read")]) {
      const answer = await call(request);
      expect(answer).toMatchObject({ code: busy.code, details: busy.message });
      expect(detailsOf(answer).reason).toBe("SHELF_EMPTY");
      expect(answer.trailers).toHaveProperty("grpc-retry-pushback-ms", ["-1"]);
    }
  });

  it("anything else answers without its text where there is no key", async () => {
    const { call } = await throwing(new Error("secret detail"));
    for (const request of [echo({}, "ActWithOptionalKey"), echo({}, "Read")]) {
      const answer = await call(request);
      expect(answer).toMatchObject({ code: status.INTERNAL, details: "the service failed" });
    }
  });

  it("a text that is no well-formed Unicode answers nevertheless", async () => {
    const { call } = await throwing(new CallError({ ...busy, message: "half \ud83d of it" }));
    expect(await call(echo({}, "Read"))).toMatchObject({
      code: busy.code,
      details: "half \ufffd of it",
    });
  });
});

describe("handlers that are an object with state", () => {
  it("keep their `this`", async () => {
    class Handlers {
      readonly name = "state";
      async act() {
        return { text: this.name };
      }
      actRepeatably = this.act;
      actWithOptionalKey = this.act;
      actWhileOthersWait = this.act;
      read = this.act;
      async *watch() {}
    }
    const { call } = await serveEcho(serviceImplementation(EchoService, new Handlers()));
    expect(echoed(await call(echo({ key: "k" }))).text).toBe("state");
  });
});

describe("another interceptor that replaces the request", () => {
  it("makes the call fail, and the server lives on", async () => {
    // The bytes of the request, by which it is recognised, are gone with it.
    let replace = true;
    const before: ServerInterceptor = (_definition, nextCall) =>
      new ServerInterceptingCall(
        nextCall,
        new ResponderBuilder()
          .withStart((next) =>
            next(
              new ServerListenerBuilder()
                .withOnReceiveMessage((message, pass) => pass(replace ? { ...message } : message))
                .build(),
            ),
          )
          .build(),
      );
    const { counter, handler } = countingHandler();
    const { call } = await serveEcho({ act: handler }, { before });
    expect((await call(echo({ key: "k" }))).code).toBe(status.INTERNAL);
    expect(counter.executions).toBe(0);
    replace = false;
    expect((await call(echo({ key: "k" }))).code).toBe(status.OK);
  });
});
