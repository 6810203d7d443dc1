import { describe, expect, it } from "vitest";
import { LazyAbort } from "../../../src/idempotency/execution/lazy-abort.js";

/** What a call throws, or that it throws nothing. */
function thrownBy(call: () => void): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  return "nothing";
}

function signalsMadeBy(work: () => void): number {
  const Original = globalThis.AbortController;
  let made = 0;
  globalThis.AbortController = class extends Original {
    constructor() {
      super();
      made += 1;
    }
  };
  try {
    work();
  } finally {
    globalThis.AbortController = Original;
  }
  return made;
}

describe("the signal", () => {
  it("that somebody has asked for before tells of the abort, and calls its listeners once", () => {
    const abort = new LazyAbort();
    const { signal } = abort;
    let calls = 0;
    signal.addEventListener("abort", () => {
      calls += 1;
    });
    expect(signal.aborted).toBe(false);
    abort.abort();
    abort.abort();
    expect(signal.aborted).toBe(true);
    expect(calls).toBe(1);
  });

  it("that somebody asks for afterwards is aborted from the start", () => {
    const abort = new LazyAbort();
    abort.abort();
    expect(abort.signal.aborted).toBe(true);
  });

  it("has the reason that an AbortController's own has, whenever it is asked for", () => {
    const controller = new AbortController();
    controller.abort();
    const [before, after] = [new LazyAbort(), new LazyAbort()];
    const early = before.signal;
    for (const abort of [before, after]) {
      abort.abort();
    }
    for (const { reason } of [early, after.signal]) {
      expect(reason).toBeInstanceOf(DOMException);
      expect(reason).toMatchObject({
        name: "AbortError",
        message: controller.signal.reason.message,
      });
    }
  });

  it("is the same each time, before the abort and after it", () => {
    const abort = new LazyAbort();
    const { signal } = abort;
    expect(abort.signal).toBe(signal);
    abort.abort();
    expect(abort.signal).toBe(signal);

    const late = new LazyAbort();
    late.abort();
    expect(late.signal).toBe(late.signal);
  });

  it("is not made as long as nobody asks for it", () => {
    const made = signalsMadeBy(() => {
      const abort = new LazyAbort();
      abort.throwIfAborted();
      abort.abort();
    });
    expect(made).toBe(0);
    expect(signalsMadeBy(() => new LazyAbort().signal)).toBe(1);
  });
});

describe("asked to throw if it is aborted", () => {
  it.each([
    ["with a signal", (abort: LazyAbort) => abort.signal],
    ["without a signal", () => undefined],
  ])("it does nothing before the abort, and then what the signal's own does, %s", (_, ask) => {
    const abort = new LazyAbort();
    ask(abort);
    expect(thrownBy(() => abort.throwIfAborted())).toBe("nothing");
    abort.abort();
    const thrown = thrownBy(() => abort.throwIfAborted());
    expect(thrown).toMatchObject({ name: "AbortError" });
    expect(thrown).toBe(thrownBy(() => abort.signal.throwIfAborted()));
    expect(thrown).toBe(abort.signal.reason);
  });
});
