import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { CallError, type ErrorDescription, errorOutcome, refusal } from "../answers/errors.js";
import { firstReply, type Reply, refusedReply } from "../answers/reply.js";
import { madeOutcome, type Outcome } from "../port/outcome.js";
import { type Fingerprint, fingerprintOf } from "../request/fingerprint.js";
import { KEY_METADATA, type KeySources, readKey } from "../request/key.js";
import type { MethodPolicy } from "../request/policy.js";
import type { Run } from "./attempt.js";
import type { Execution } from "./call.js";
import type { Executor } from "./executor.js";
import type { Validate } from "./handlers.js";

/** One call of a method with side effects, as a transport received it. */
export interface IncomingCall<Desc extends DescMessage, Transaction> {
  readonly policy: MethodPolicy;
  readonly tenant: string;
  /** Every value of the metadata's `idempotency-key`. */
  readonly keyMetadata: readonly string[];
  readonly desc: Desc;
  readonly message: MessageShape<Desc>;
  /** The bytes that `message` was decoded from. */
  readonly bytes: Uint8Array;
  /** Finds errors that the request and its key show by themselves. */
  readonly validate?: Validate | undefined;
  /** Runs the handler; without an execution where the call may go without a key. */
  readonly run: (execution?: Execution<Transaction>) => ReturnType<Run<Transaction>>;
  /** Aborted when nobody waits for the reply. */
  readonly signal: AbortSignal;
  /** Returns true once the signal is aborted, or would be if it had been made. */
  readonly isAbandoned?: (() => boolean) | undefined;
}

/**
 * Serves one call: finds its key, recognises its request, and leaves the rest
 * to the executor. Every transport calls it between decoding and sending.
 * Never rejects.
 */
export async function serve<Desc extends DescMessage, Transaction>(
  executor: Executor<Transaction>,
  call: IncomingCall<Desc, Transaction>,
): Promise<Reply> {
  const { policy, tenant, bytes, run } = call;
  const { operation } = policy;
  const reading = readKey({ metadata: call.keyMetadata, field: keyFieldOf(call) });
  switch (reading.kind) {
    case "refused":
      return refusedReply(reading.error);
    case "missing":
      return policy.required ? refusedReply(keyMissing(policy)) : runWithoutKey(run);
    case "key": {
      const recognition = recognise(call);
      if (recognition.kind === "refused") {
        return refusedReply(recognition.error);
      }
      return executor.execute({
        scope: { tenant, operation, key: reading.key },
        policy,
        fingerprint: recognition.fingerprint,
        request: bytes,
        message: call.message,
        invalid: call.validate?.(call.message, reading.key),
        run,
        isAbandoned: call.isAbandoned,
        get signal() {
          return call.signal;
        },
      });
    }
  }
}

async function runWithoutKey(run: () => ReturnType<Run<never>>): Promise<Reply> {
  try {
    return firstReply(madeOutcome(await run()));
  } catch (error) {
    return firstReply(failureOutcome(error));
  }
}

function keyFieldOf<Desc extends DescMessage>({
  policy: { keyField },
  message,
}: Pick<IncomingCall<Desc, never>, "policy" | "message">): KeySources["field"] {
  if (keyField === undefined) {
    return undefined;
  }
  // The policy made sure that it is a string; unset with explicit presence, it is absent.
  const value = (message as Record<string, unknown>)[keyField.localName] ?? "";
  return { name: keyField.name, value: String(value) };
}

function keyMissing({ keyField }: MethodPolicy): ErrorDescription {
  const inField = keyField === undefined ? "" : ` or the field ${keyField.name}`;
  return refusal(
    "IDEMPOTENCY_KEY_MISSING",
    `this method needs an idempotency key, in the metadata's ${KEY_METADATA}${inField}`,
    { field: keyField?.name ?? KEY_METADATA },
  );
}

type Recognition =
  | { readonly kind: "recognised"; readonly fingerprint: Fingerprint }
  | { readonly kind: "refused"; readonly error: ErrorDescription };

function recognise<Desc extends DescMessage>({
  policy: { operation, keyField },
  desc,
  message,
  bytes,
}: Omit<IncomingCall<Desc, never>, "run">): Recognition {
  try {
    const fingerprint = fingerprintOf({ operation, desc, message, bytes, keyField });
    return { kind: "recognised", fingerprint };
  } catch (error) {
    return { kind: "refused", error: requestInvalid(error) };
  }
}

/** The refusal of a request that cannot be encoded or recognised. */
export function requestInvalid(error: unknown): ErrorDescription {
  return refusal("REQUEST_INVALID", error instanceof Error ? error.message : String(error));
}

/**
 * The answer to a call that failed without a claim behind it. The text of an
 * error that is not a `CallError` stays on the server.
 */
export function failureOutcome(error: unknown): Outcome {
  if (error instanceof CallError) {
    try {
      return errorOutcome(error.description);
    } catch {
      // A description that cannot be encoded is a failure of the service's own.
    }
  }
  return errorOutcome(refusal("INTERNAL", "the service failed"));
}
