import { createHash, randomUUID } from "node:crypto";
import { Code } from "../../../src/idempotency/answers/code.js";
import { CallError, type ErrorDescription } from "../../../src/idempotency/answers/errors.js";
import type { Run } from "../../../src/idempotency/execution/attempt.js";
import type { ExecuteRequest } from "../../../src/idempotency/execution/claiming.js";
import { okOutcome } from "../../../src/idempotency/port/outcome.js";
import type { Completion, IdempotencyStore } from "../../../src/idempotency/port/store.js";
import type { MethodPolicy } from "../../../src/idempotency/request/policy.js";

export const LEASE_MS = 15_000;
export const RETENTION_MS = 3_600_000;

export const holdPolicy: MethodPolicy = {
  operation: "test.v1.Service/Call",
  required: true,
  inFlightWaitMs: 0,
  onLostOwner: "hold",
  retentionMs: RETENTION_MS,
  leaseMs: LEASE_MS,
};
export const rerunPolicy: MethodPolicy = { ...holdPolicy, onLostOwner: "rerun" };

export interface CallOptions<Transaction> {
  readonly run: Run<Transaction>;
  readonly key?: string;
  /** Stands for the request; another text is another request. */
  readonly request?: string;
  readonly policy?: MethodPolicy;
  readonly signal?: AbortSignal;
}

/** One call as a transport hands it to the executor. */
export function callOf<Transaction = never>({
  run,
  key = randomUUID(),
  request = "request",
  policy = holdPolicy,
  signal = new AbortController().signal,
}: CallOptions<Transaction>): ExecuteRequest<Transaction> {
  const hash = createHash("sha256").update(request).digest();
  return {
    scope: { tenant: "default", operation: policy.operation, key },
    policy,
    fingerprint: { version: 1, canonical: hash, raw: hash },
    request: Buffer.from(request),
    run,
    signal,
  };
}

export const ok = (text = "done") => okOutcome(Buffer.from(text));

export function describeError(code: ErrorDescription["code"]): ErrorDescription {
  return { code, reason: "TEST_REASON", message: "as the handler says", next: "fix_request" };
}

export const callError = (code: ErrorDescription["code"]) => new CallError(describeError(code));

export const ERROR_CODES = Object.values(Code).filter((code) => code !== Code.OK);

/** What a handler does once the test says so. */
export function gate<Value>(): {
  readonly opened: Promise<Value>;
  open(value: Value): void;
} {
  let open: (value: Value) => void = () => {};
  const opened = new Promise<Value>((resolve) => {
    open = resolve;
  });
  return { opened, open: (value) => open(value) };
}

/** Completes claims at once, for a store whose transactions commit with each write. */
export function completeEach(
  store: Pick<IdempotencyStore, "complete">,
  completions: readonly Completion[],
): Promise<readonly boolean[]> {
  return Promise.all(
    completions.map(({ claim, outcome, retentionMs }) =>
      store.complete(claim, outcome, retentionMs),
    ),
  );
}
