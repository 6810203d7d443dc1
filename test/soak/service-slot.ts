import {
  type ServiceProcess,
  startServiceProcess,
  waitUntil,
} from "../support/service/service-process.js";

/** A service starts only while its database answers, and the database may be away for a while. */
const START_LIMIT_MS = 90_000;

/** Calls under way end within the longest wait for a connection. Milliseconds. */
const DRAIN_LIMIT_MS = 45_000;

/** A service at one address, in one process after the other. */
export interface ServiceSlot {
  readonly grpcAddress: string;
  process(): ServiceProcess;
  /** Ends the process in this way, and starts the next one after the pause. Milliseconds. */
  restart(signal: "SIGKILL" | "SIGTERM", pause: () => Promise<unknown>): Promise<void>;
  stop(): Promise<void>;
}

export interface ServiceSlotOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly onProblem: (problem: string) => void;
  readonly entry?: string;
}

export async function openServiceSlot(options: ServiceSlotOptions): Promise<ServiceSlot> {
  const { env, onProblem, ...program } = options;
  let isEnding = false;
  const start = async (more: Readonly<Record<string, string>> = {}) => {
    const started = await startServiceProcess({ env: { ...env, ...more }, ...program });
    isEnding = false;
    void started.exited.then((code) => {
      if (!isEnding) {
        const tail = started.output().slice(-2_000);
        onProblem(`service pid ${started.pid} ended by itself with code ${code}:\n${tail}`);
      }
    });
    return started;
  };
  let running = await start();
  const { grpcAddress } = running;

  return {
    grpcAddress,
    process: () => running,

    async restart(signal, pause) {
      isEnding = true;
      const { pid, exited } = running;
      running.kill(signal);
      if (signal === "SIGTERM") {
        await waitUntil(() => isGone(pid), DRAIN_LIMIT_MS).catch(() => {
          onProblem(`service pid ${pid} has not ended ${DRAIN_LIMIT_MS} ms after SIGTERM`);
          running.kill("SIGKILL");
        });
      }
      await exited;
      await pause();
      await waitUntil(async () => {
        try {
          running = await start({ GRPC_LISTEN: grpcAddress });
          return true;
        } catch {
          return false;
        }
      }, START_LIMIT_MS);
    },

    async stop() {
      isEnding = true;
      await running.stop();
    },
  };
}

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
}
