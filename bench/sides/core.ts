import { startCpuMeter } from "../lab/cpu.js";
import type { Lab } from "../lab/lab.js";
import { type Program, startProgram } from "../lab/program.js";
import type { Measured } from "../load/plan.js";
import type { CoreQuestion, CoreSettings, CoreWork } from "../programs/core-calls.js";
import type { Side } from "./side.js";

export type CoreProgram = Program<CoreQuestion, Measured>;

/** Starts the process that calls the core, and the servers below it, without gRPC. */
export async function startCore({ redis, postgres, shutdown }: Lab): Promise<CoreProgram> {
  const settings: CoreSettings = {
    redisUrls: redis.urls,
    databaseUrl: await postgres.databases.create(),
  };
  const core = await startProgram<CoreQuestion, Measured>("core-calls", settings);
  shutdown.add(() => core.stop());
  return core;
}

/** One caller, one call at a time, in one process. */
export function createCoreSide({ redis, postgres }: Lab, core: CoreProgram, work: CoreWork): Side {
  return {
    async measure({ seconds }) {
      const readCpu = startCpuMeter({
        server: [core.pid],
        redis: redis.pids,
        postgres: [postgres.pid],
      });
      const measured = await core.ask({ work, seconds });
      return { ...measured, cpuMs: readCpu() };
    },
  };
}
