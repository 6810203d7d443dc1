import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import pg from "pg";
import { callUnary } from "../../../src/grpc/client.js";
import { KEY_METADATA } from "../../../src/idempotency/request/key.js";
import { EchoService } from "../../fixtures/echo/gen/payonce/echo/v1/echo_pb.js";
import { createDatabase } from "../servers/postgres.js";
import { type ServiceProcess, startServiceProcess } from "../service/service-process.js";

const ENTRY = fileURLToPath(new URL("../entries/acting-service.ts", import.meta.url));
const CALL_LIMIT_MS = 30_000;

/** HOLD: an effect with each run. RERUN: one for all runs of a key. */
export type Policy = "HOLD" | "RERUN";

/** The policy of each method of the acting service. */
const methods = { HOLD: EchoService.method.act, RERUN: EchoService.method.actRepeatably };

export interface ActingCall {
  readonly key: string;
  readonly policy: Policy;
  /** How each attempt ends, separated by commas: a code, "error", "text" or "hang". Then well. */
  readonly ends?: string;
  readonly text?: string;
}

/** `mended`: ends every attempt well. */
export type Build = "" | "stricter" | "newer form" | "mended";

export type ActingServices = Awaited<ReturnType<typeof startActingServices>>;

/** Processes of the acting service, of several builds over one database. */
export async function startActingServices() {
  const directory = await mkdtemp(join(tmpdir(), "payonce-test-acting-"));
  const effects = join(directory, "effects");
  await mkdir(effects);
  const database = await createDatabase();
  const pool = new pg.Pool({ connectionString: database.url, max: 2 });
  pool.on("error", () => {}); // dropping the database ends idle connections
  const processes: ServiceProcess[] = [];
  const clients: Client[] = [];

  return {
    databaseUrl: database.url,

    async start(build: Build = "", more: Readonly<Record<string, string>> = {}) {
      const env = { DATABASE_URL: database.url, EFFECTS_DIR: effects, BUILD: build, ...more };
      const started = await startServiceProcess({ entry: ENTRY, env });
      const client = new Client(started.grpcAddress, credentials.createInsecure());
      processes.push(started);
      clients.push(client);
      return {
        process: started,
        call({ key, policy, ends = "", text = "" }: ActingCall) {
          const metadata = new Metadata();
          metadata.set(KEY_METADATA, key);
          const request = { text, labels: { ends } };
          return callUnary(client, {
            method: methods[policy],
            request,
            metadata,
            timeoutMs: CALL_LIMIT_MS,
          });
        },
      };
    },

    /** How many effects a key has had. */
    async countEffects(key: string): Promise<number> {
      const text = await readFile(join(effects, key), "utf8").catch(() => "");
      return text.split("\n").length - 1;
    },

    async recordOf(key: string) {
      const { rows } = await pool.query<{ state: string; attempts: number; reason: string | null }>(
        `SELECT state, attempts, unknown_reason AS reason FROM idempotency_records
         WHERE idempotency_key = $1`,
        [key],
      );
      return rows[0];
    },

    async stop() {
      for (const client of clients) {
        client.close();
      }
      await Promise.all(processes.map((started) => started.stop()));
      await pool.end();
      await database.drop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
