import type { MessageInitShape } from "@bufbuild/protobuf";
import pg from "pg";
import { FaultAction, type FaultSchema } from "../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import { ALL_CALLS, openProcessor } from "../support/service/processor.js";
import { LONG_ON_THE_WAY_MS, ON_THE_WAY_MS } from "./settings.js";

/** How often keys whose window is over are looked for. Milliseconds. */
const INTERVAL_MS = 1_000;

/** Fewer than the sandbox takes, with room for what a fault arms. */
const MOST_FORGOTTEN = 900;

/** A call for a connection or an answer of a database that is harmed meanwhile. Milliseconds. */
const DATABASE_LIMIT_MS = 2_000;

export type ProcessorFault = MessageInitShape<typeof FaultSchema>;

/** What the processor is told to do wrong. It forgets it all when it is killed. */
export interface ProcessorFaults {
  /** Arms these faults, and none of those armed before. */
  arm(...faults: readonly ProcessorFault[]): Promise<void>;
  /** Forgets now what else would be forgotten soon: nothing is on its way for longer. */
  forget(): Promise<void>;
  stop(): Promise<void>;
}

export interface ProcessorFaultsOptions {
  readonly processorAddress: string;
  readonly databaseUrl: () => string;
  readonly keyWindowMs: number;
}

/**
 * Lets the processor forget every key whose window is over while its operation
 * has no end: who sends one of them charges again. What is on its way by then
 * was sent in time. Keys that the database has lost are not among them: it does
 * not know how old they are, so nobody could be told not to send them.
 */
export function startProcessorFaults(options: ProcessorFaultsOptions): ProcessorFaults {
  const { processorAddress, databaseUrl, keyWindowMs } = options;
  let armed: readonly ProcessorFault[] = [];
  let forgotten: readonly string[] = [];
  let isStopped = false;
  let timer: NodeJS.Timeout | undefined;

  async function send(): Promise<void> {
    const processor = openProcessor(processorAddress);
    try {
      await processor.arm(
        ...forgotten.map((processorKey) => ({
          action: FaultAction.FORGET_KEY,
          processorKey,
          count: ALL_CALLS,
        })),
        ...armed,
      );
    } finally {
      processor.close();
    }
  }

  async function forget(onTheWayMs: number): Promise<void> {
    const keys = await overdueKeys(databaseUrl(), keyWindowMs + onTheWayMs);
    if (keys.join() !== forgotten.join()) {
      forgotten = keys;
      await send();
    }
  }

  function schedule(): void {
    timer = setTimeout(() => {
      working = forget(LONG_ON_THE_WAY_MS)
        .catch(() => {
          forgotten = []; // one of the two is away: again, with the next look
        })
        .finally(() => {
          if (!isStopped) {
            schedule();
          }
        });
    }, INTERVAL_MS);
  }
  let working = Promise.resolve();
  schedule();

  return {
    async arm(...faults) {
      armed = faults;
      await send();
    },
    async forget() {
      await working;
      await forget(ON_THE_WAY_MS);
    },
    async stop() {
      isStopped = true;
      clearTimeout(timer);
      await working;
    },
  };
}

/** The processor keys of operations without an end that began so long ago. */
async function overdueKeys(databaseUrl: string, ageMs: number): Promise<readonly string[]> {
  const client = new pg.Client({
    connectionString: databaseUrl,
    connectionTimeoutMillis: DATABASE_LIMIT_MS,
    query_timeout: DATABASE_LIMIT_MS,
  });
  client.on("error", () => {}); // the query rejects all the same
  try {
    await client.connect();
    const { rows } = await client.query<{ processor_key: string }>(
      `SELECT processor_key FROM operations
       WHERE state IN ('pending', 'unknown')
         AND begin_time < clock_timestamp() - $1 * interval '1 millisecond'
       ORDER BY begin_time DESC LIMIT ${MOST_FORGOTTEN}`,
      [ageMs],
    );
    return rows.map((row) => row.processor_key);
  } finally {
    await client.end();
  }
}
