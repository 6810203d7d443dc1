import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { guard } from "../../test/support/servers/guard.js";
import {
  type ServiceProcess,
  startServiceProcess,
} from "../../test/support/service/service-process.js";

export interface PaymentServiceOptions {
  readonly databaseUrl: string;
  readonly redisUrls: readonly string[];
  /** An existing folder, in which the service gets one of its own. */
  readonly dataDir: string;
  /** More settings. */
  readonly env?: Readonly<Record<string, string>>;
  /** The command line's TypeScript file, if not that of this build. */
  readonly entry?: string;
}

/**
 * Starts the whole service as a process of its own, with a processor that
 * approves at once. It never outlives this process.
 */
export async function startPaymentService(options: PaymentServiceOptions): Promise<ServiceProcess> {
  const { databaseUrl, redisUrls, dataDir, entry, env = {} } = options;
  const directory = await mkdtemp(join(dataDir, "service-"));
  const service = await startServiceProcess({
    env: {
      DATABASE_URL: databaseUrl,
      REDIS_URLS: redisUrls.join(","),
      DATA_DIR: directory,
      PROCESSOR_URL: "instant:",
      LOG_LEVEL: "error",
      ...env,
    },
    args: [], // builds before do not know today's flags
    ...(entry === undefined ? {} : { entry }),
  });
  const guarded = guard({ pid: service.pid, directory });
  return {
    ...service,
    async stop() {
      await service.stop();
      await guarded.close();
    },
  };
}
