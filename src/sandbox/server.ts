import { setMaxListeners } from "node:events";
import { lockDirectory } from "../dev-servers/directory-lock.js";
import { makeDirectory } from "../dev-servers/make-directory.js";
import { within } from "../runtime/within.js";
import { createEffectCalls } from "./effect-calls.js";
import type { FaultAccess } from "./fault-access.js";
import { createArmedFaults } from "./faults.js";
import { type Face, startGrpcFace, toCall } from "./grpc-face.js";
import { habitsOf } from "./habits.js";
import { openJournal } from "./journal.js";
import type { ListenAddress } from "./listen.js";
import { createProcessor } from "./processor.js";
import type { ProfileName } from "./profiles.js";
import { createService } from "./service.js";
import { startStripeFace } from "./stripe/face.js";
import { openKeeper } from "./stripe/keeper.js";
import type { WebhookEndpoint } from "./stripe/webhook.js";

export { ListenError } from "./listen.js";

export interface SandboxOptions extends StripeFaceOptions {
  readonly listen: ListenAddress;
  /** Holds the journal. Created if missing; serves one process at a time. */
  readonly dataDir: string;
  /** The callers who may arm faults; anybody unless given. */
  readonly faults?: FaultAccess;
  /** The acquirer whose habits it takes on; none unless given. */
  readonly profile?: ProfileName | undefined;
  readonly log?: (line: string) => void;
}

/** What the face in Stripe's form does. */
export interface StripeFaceOptions {
  /** Where it listens; it is off unless given. */
  readonly stripeListen?: ListenAddress | undefined;
  /** How long searches miss a new PaymentIntent; 0 unless given. */
  readonly stripeSearchLagMs?: number | undefined;
  /** The account may capture a PaymentIntent several times; it may not unless given. */
  readonly stripeMulticapture?: boolean | undefined;
  /** Where its events are sent to, and what signs them; nowhere unless given. */
  readonly stripeWebhook?: WebhookEndpoint | undefined;
}

export interface Sandbox {
  /** host:port as it was bound. */
  readonly address: string;
  /** The same of the face in Stripe's form, where there is one. */
  readonly stripeAddress: string | undefined;
  /** Drops the calls that wait, finishes the others, and gives up the data directory. */
  close(): Promise<void>;
}

// A call that is not dropped at close waits for one disk sync at most.
const SYNC_LIMIT_MS = 2_000;

/**
 * Starts the sandbox processor: its gRPC face, and the one in Stripe's form where it is to listen.
 *
 * @throws ListenError if an address cannot be bound, and another error if the
 * data directory is in use or a journal line is malformed.
 */
export async function startSandbox(options: SandboxOptions): Promise<Sandbox> {
  const { listen, dataDir, faults: faultAccess = { kind: "anybody" } } = options;
  const { stripeListen, stripeSearchLagMs = 0, stripeMulticapture = false } = options;
  const { profile, log = () => undefined } = options;
  const undo: (() => Promise<void>)[] = [];
  const undoAll = async () => {
    for (const step of undo.reverse()) {
      await step();
    }
  };
  await makeDirectory(dataDir);
  const lock = await lockDirectory(dataDir);
  undo.push(() => lock.release());
  try {
    const { journal, history, settled, close: closeJournal } = await openJournal(dataDir, log);
    undo.push(closeJournal);
    const keeper = stripeListen && (await openKeeper(dataDir, log));
    if (keeper !== undefined) {
      undo.push(() => keeper.close());
    }

    const shutdown = new AbortController();
    // Every call that waits listens; their number is the clients' affair.
    setMaxListeners(0, shutdown.signal);
    const now = () => new Date();
    const processor = createProcessor({ journal, history, now });
    const habits = habitsOf(profile);
    const profiled = habits.apply(processor);
    const faults = createArmedFaults();
    const calls = createEffectCalls({
      faults,
      forget(processorKey) {
        profiled.forget(processorKey);
        keeper?.forgetReply(processorKey);
      },
    });
    const service = habits.wrap(
      createService({
        processor: profiled,
        faults,
        calls,
        faultAccess,
        toCall: (context) => toCall(context, shutdown.signal),
      }),
    );

    const grpc = await startGrpcFace({ listen, service, shutdown: shutdown.signal });
    const faces: Face[] = [grpc];
    const untilSettled = () => within(Promise.all([settled(), keeper?.settled()]), SYNC_LIMIT_MS);
    undo.push(async () => {
      const settling = untilSettled();
      await Promise.all(faces.map((face) => face.close(settling)));
    });
    log(`sandbox processor on ${grpc.address}, ${history.effects.length} effects in ${dataDir}`);

    let stripe: Face | undefined;
    if (stripeListen !== undefined && keeper !== undefined) {
      stripe = await startStripeFace({
        ...{ listen: stripeListen, processor, history, keeper, calls, faults, now, log },
        shutdown: shutdown.signal,
        searchLagMs: stripeSearchLagMs,
        hasMulticapture: stripeMulticapture,
        webhook: options.stripeWebhook,
      });
      faces.push(stripe);
      log(`its face in Stripe's form on http://${stripe.address}`);
    }

    return {
      address: grpc.address,
      stripeAddress: stripe?.address,
      async close() {
        shutdown.abort();
        await undoAll();
      },
    };
  } catch (error) {
    await undoAll();
    throw error;
  }
}
