import type { DescService } from "@bufbuild/protobuf";
import { CallError } from "../idempotency/answers/errors.js";
import { overloaded, stopping } from "../idempotency/answers/refusals.js";
import { type Admission, createAdmission } from "../idempotency/execution/admission.js";
import {
  mapHandlers,
  type ServiceHandlers,
  type StreamHandler,
  type UnaryHandler,
} from "../idempotency/execution/handlers.js";

/**
 * The calls that run under no key, over every transport: reads, streams, and
 * what operators ask for. The executor knows the others.
 */
export interface OpenCalls {
  /** Wraps handlers so that their calls are counted here. */
  watch<Service extends DescService, Transaction>(
    service: Service,
    handlers: ServiceHandlers<Service, Transaction>,
  ): ServiceHandlers<Service, Transaction>;
  /** Refuses every new call with UNAVAILABLE, and ends the streams with it. */
  stop(): void;
  /** Resolves once no call is under way. Streams do not count: they never end by themselves. */
  drained(): Promise<void>;
  /** Returns the numbers of calls and streams that are under way. */
  count(): { readonly calls: number; readonly streams: number };
}

/** Each waits for a connection to the database, of which reads have few. */
const MAX_CALLS = 256;

/** Each asks the database for what is new, again and again. */
const MAX_STREAMS = 1_000;

const STREAM_ENDED =
  "this server is stopping; open the stream again, after the id of the last event that it sent";

export interface OpenCallsOptions {
  /** The most calls that may be under way. Default 256. */
  readonly maxCalls?: number;
  /** The most streams that may be open. Default 1,000. */
  readonly maxStreams?: number;
}

export function createOpenCalls({
  maxCalls = MAX_CALLS,
  maxStreams = MAX_STREAMS,
}: OpenCallsOptions = {}): OpenCalls {
  const callPlaces = createAdmission({ maxCalls });
  const streamPlaces = createAdmission({ maxCalls: maxStreams });
  const calls = new Set<Promise<unknown>>();
  const streams = new Set<() => void>();
  let isStopping = false;

  /** @throws CallError with UNAVAILABLE or RESOURCE_EXHAUSTED if there is no place for a call. */
  function enter(places: Admission, tenant: string): void {
    if (isStopping) {
      throw new CallError(stopping());
    }
    if (!places.enter(tenant)) {
      throw new CallError(overloaded());
    }
  }

  async function counted<Answer>(call: Promise<Answer>): Promise<Answer> {
    calls.add(call);
    try {
      return await call;
    } finally {
      calls.delete(call);
    }
  }

  function unary(handler: UnaryHandler): UnaryHandler {
    const watched: UnaryHandler = async (request, context) => {
      const { tenant } = context.caller;
      enter(callPlaces, tenant);
      try {
        return await counted(handler(request, context));
      } finally {
        callPlaces.leave(tenant);
      }
    };
    return (request, context) =>
      context.execution === undefined ? watched(request, context) : handler(request, context);
  }

  function serverStreaming(handler: StreamHandler): StreamHandler {
    return async function* (request, context) {
      const { tenant } = context.caller;
      enter(streamPlaces, tenant);
      const ending = new AbortController();
      const end = () => ending.abort();
      const { signal, ...known } = context;
      signal.addEventListener("abort", end);
      if (signal.aborted) {
        end();
      }
      streams.add(end);
      try {
        yield* handler(request, { ...known, signal: ending.signal });
      } finally {
        streams.delete(end);
        streamPlaces.leave(tenant);
        signal.removeEventListener("abort", end);
      }
      if (isStopping) {
        throw new CallError(stopping(STREAM_ENDED));
      }
    };
  }

  return {
    watch(service, handlers) {
      const watched = mapHandlers(service, handlers, (bound) =>
        bound.kind === "unary" ? unary(bound.handler) : serverStreaming(bound.handler),
      );
      // Each handler has the type of the one that it wraps.
      return watched as typeof handlers;
    },
    stop() {
      isStopping = true;
      for (const end of streams) {
        end();
      }
    },
    async drained() {
      await Promise.allSettled(calls);
    },
    count: () => ({ calls: calls.size, streams: streams.size }),
  };
}
