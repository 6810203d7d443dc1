import { setTimeout as sleep } from "node:timers/promises";
import type { Executor } from "../idempotency/executor.js";

/** How long calls without side effects may go on once a server stops. Milliseconds. */
const READS_LIMIT_MS = 1_000;

/** A server that takes no new calls any more. */
export interface StoppingServer {
  /** Resolves once no call is under way. */
  readonly ended: Promise<unknown>;
  cutOff(): void;
}

/**
 * Lets the calls that execute under a key end, and those that only read have a
 * moment; then cuts off what is left, as streams that never end would be.
 */
export async function drain(
  { ended, cutOff }: StoppingServer,
  executor: Pick<Executor<unknown>, "drained">,
): Promise<void> {
  await Promise.race([ended, executor.drained().then(() => sleep(READS_LIMIT_MS))]);
  cutOff();
}
