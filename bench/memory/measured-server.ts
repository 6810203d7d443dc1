import { waitUntil } from "../../test/support/service/service-process.js";
import type { Lab } from "../lab/lab.js";
import { residentBytes } from "../lab/memory.js";
import { startProgram } from "../lab/program.js";
import type {
  Before,
  MeasuredServerAnswer,
  MeasuredServerQuestion,
  MeasuredServerSettings,
} from "../programs/measured-server.js";

/** Far longer than sending takes: what ends it is the number of calls. */
const SENDING_SECONDS = 280;

/** How long calls may be on their way, on a busy machine. */
const ARRIVAL_LIMIT_MS = 60_000;

/** Bytes. */
export interface Memory {
  /** On the heap and outside of it, with all garbage gone. */
  readonly live: number;
  /** In RAM. */
  readonly resident: number;
}

export interface Calls {
  readonly count: number;
  /** Default: all of them. */
  readonly atOnce?: number;
  readonly requestBytes?: number;
}

/** A gRPC server in a process of its own, whose memory can be told. */
export interface MeasuredServer {
  memory(): Promise<Memory>;
  /** Calls it with new keys. */
  call(calls: Calls): Promise<void>;
  /** Its memory while so many calls wait for their answers, which they get then. */
  memoryHolding(calls: Omit<Calls, "atOnce">): Promise<Memory>;
}

let prefixes = 0;

export async function startMeasuredServer(
  { generator, redis, shutdown }: Lab,
  before: Before,
): Promise<MeasuredServer> {
  const settings: MeasuredServerSettings = { before, redisUrls: redis.urls };
  const server = await startProgram<MeasuredServerQuestion, MeasuredServerAnswer>(
    "measured-server",
    settings,
    ["--expose-gc"],
  );
  shutdown.add(() => server.stop());
  const { address } = await server.ask("look");

  async function memory(): Promise<Memory> {
    const { heapUsed, external } = await server.ask("collect garbage");
    return { live: heapUsed + external, resident: residentBytes(server.pid) };
  }

  async function call({ count, atOnce = count, requestBytes }: Calls): Promise<void> {
    prefixes += 1;
    const { calls, replayed } = await generator.ask({
      targets: [address],
      prefix: `memory-${prefixes}`,
      traffic: { kind: "new keys" },
      callers: atOnce,
      seconds: SENDING_SECONDS,
      maxCalls: count,
      ...(requestBytes === undefined ? {} : { requestBytes }),
    });
    if (calls !== count || replayed > 0) {
      throw new Error(`${count} calls of new keys: ${calls} were answered, ${replayed} replayed`);
    }
  }

  async function lookAndAnswer(count: number): Promise<Memory> {
    const haveArrived = async () => (await server.ask("look")).waiting === count;
    await waitUntil(haveArrived, ARRIVAL_LIMIT_MS);
    const held = await memory();
    await server.ask("answer");
    return held;
  }

  return {
    memory,
    call,
    async memoryHolding(calls) {
      await server.ask("hold");
      const [held] = await Promise.all([lookAndAnswer(calls.count), call(calls)]);
      return held;
    },
  };
}
