import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import type { SandboxProcessorService } from "../gen/payonce/sandbox/v1/sandbox_pb.js";
import { countCharacters } from "../runtime/characters.js";
import { invalidArgument } from "./effect-request.js";
import type { Profile } from "./profiles.js";

type Service = ServiceImpl<typeof SandboxProcessorService>;

/** The statuses of an error of the server, which some acquirers keep as the answer of a key. */
const SERVER_ERRORS: ReadonlySet<Code> = new Set([Code.Internal, Code.Unavailable, Code.Unknown]);

/** The calls for an effect, as far as what an acquirer does with them depends on their key alone. */
export interface ProfiledCalls {
  /** Forgets an error that was kept. */
  forget(processorKey: string): void;
  /** Serves the calls for an effect with the habits. */
  wrap(service: Service): Service;
}

export function createProfiledCalls({ keys }: Profile): ProfiledCalls {
  const underWay = new Set<string>();
  const keptErrors = new Map<string, ConnectError>();

  async function run<Answer>(processorKey: string, work: () => Promise<Answer>): Promise<Answer> {
    if (keys === undefined) {
      return work();
    }
    if (countCharacters(processorKey) > keys.maxLength) {
      throw invalidArgument(`processor_key takes at most ${keys.maxLength} characters`);
    }
    const kept = keptErrors.get(processorKey);
    if (kept !== undefined) {
      throw kept;
    }
    if (keys.inFlight === "waits") {
      return keepError(processorKey, work);
    }
    if (underWay.has(processorKey)) {
      throw new ConnectError("a call with processor_key is under way", Code.Aborted);
    }
    underWay.add(processorKey);
    try {
      return await keepError(processorKey, work);
    } finally {
      underWay.delete(processorKey);
    }
  }

  async function keepError<Answer>(
    processorKey: string,
    work: () => Promise<Answer>,
  ): Promise<Answer> {
    try {
      return await work();
    } catch (error) {
      const isKept = keys?.keepsErrors === "all";
      if (isKept && error instanceof ConnectError && SERVER_ERRORS.has(error.code)) {
        keptErrors.set(processorKey, error);
      }
      throw error;
    }
  }

  return {
    forget(processorKey) {
      keptErrors.delete(processorKey);
    },
    wrap: (service) => ({
      ...service,
      authorize: (request, context) =>
        run(request.processorKey, async () => service.authorize(request, context)),
      capture: (request, context) =>
        run(request.processorKey, async () => service.capture(request, context)),
      void: (request, context) =>
        run(request.processorKey, async () => service.void(request, context)),
      refund: (request, context) =>
        run(request.processorKey, async () => service.refund(request, context)),
    }),
  };
}
