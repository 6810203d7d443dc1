import { appendFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import type { PoolClient } from "pg";
import {
  idempotencyInterceptor,
  idempotent,
  serviceImplementation,
} from "../../../src/grpc/index.js";
import { toCode } from "../../../src/idempotency/answers/code.js";
import { CallError, type ErrorDescription } from "../../../src/idempotency/answers/errors.js";
import type { CallContext } from "../../../src/idempotency/execution/call.js";
import { createExecutor } from "../../../src/idempotency/execution/executor.js";
import { startRecovery } from "../../../src/idempotency/recovery/recovery.js";
import { repeatableMethods } from "../../../src/idempotency/request/methods.js";
import {
  createPostgresStore,
  idempotencyMigrations,
  migrate,
  openDatabase,
} from "../../../src/stores/postgres/index.js";
import { type EchoRequest, EchoService } from "../../fixtures/echo/gen/payonce/echo/v1/echo_pb.js";
import { withNewerForm } from "./newer-form.js";

// A small service of somebody else's: each call has an effect in the world, one
// file in a folder, and then ends in whatever way its request says.

const LEASE_MS = 1_000;
const MAX_EXECUTION_MS = 1_500;
const RECOVERY_INTERVAL_MS = 200;
const HANG_MS = 3_600_000;

const { DATABASE_URL = "", EFFECTS_DIR = "", BUILD = "", MAX_ATTEMPTS } = process.env;

type Act = (
  request: EchoRequest,
  context: CallContext<PoolClient>,
) => Promise<{ text: string; execution: number }>;

/** Every run is an effect of its own. */
const act: Act = async ({ labels }, { execution }) => {
  if (execution === undefined) {
    throw new Error("the call has no key");
  }
  refuseAsStricterBuild();
  const { scope, attempt } = execution;
  await appendFile(join(EFFECTS_DIR, scope.key), `${attempt}\n`);
  await end(labels.ends ?? "", attempt);
  return { text: "done", execution: 1 };
};

/** All runs under one key have one effect. */
const actRepeatably: Act = async ({ labels }, { execution }) => {
  if (execution === undefined) {
    throw new Error("the call has no key");
  }
  refuseAsStricterBuild();
  const { scope, attempt } = execution;
  await writeFile(join(EFFECTS_DIR, scope.key), "1\n");
  await end(labels.ends ?? "", attempt);
  return { text: "done", execution: 1 };
};

function refuseAsStricterBuild(): void {
  if (BUILD === "stricter") {
    throw callError(3, "this build refuses what an older one accepted");
  }
}

/** Ends the attempt as the request says: one way for each attempt, then well. */
async function end(ends: string, attempt: number): Promise<void> {
  const way = BUILD === "mended" ? "" : (ends.split(",")[attempt - 1] ?? "");
  switch (way) {
    case "":
      return;
    case "error":
      throw new Error("the handler broke");
    case "text":
      throw "the handler threw a text";
    case "hang":
      await sleep(HANG_MS);
      return;
    default:
      throw callError(Number(way), "as the request says");
  }
}

function callError(code: number, message: string): CallError {
  const description = { reason: "AS_ASKED", message, next: "fix_request" } as const;
  return new CallError({ ...description, code: toCode(code) as ErrorDescription["code"] }); // never 0
}

const pool = openDatabase(DATABASE_URL, () => {});
await migrate(pool, idempotencyMigrations);
const record = createPostgresStore(pool);
const store = BUILD === "newer form" ? withNewerForm(record) : record;
const executor = createExecutor({
  store,
  maxExecutionMs: MAX_EXECUTION_MS,
  ...(MAX_ATTEMPTS === undefined ? {} : { maxAttempts: Number(MAX_ATTEMPTS) }),
});
const defaults = { leaseMs: LEASE_MS, retentionMs: HANG_MS };
const handlers = {
  act,
  actRepeatably,
  actWithOptionalKey: act,
  actWhileOthersWait: act,
  read: act,
  async *watch(request: EchoRequest, context: CallContext<PoolClient>) {
    yield await act(request, context);
  },
};
startRecovery({
  store,
  executor,
  methods: repeatableMethods(EchoService, handlers, defaults),
  intervalMs: RECOVERY_INTERVAL_MS,
});
const server = new Server({ interceptors: [idempotencyInterceptor({ executor })] });
server.addService(
  idempotent(EchoService, { defaults }),
  serviceImplementation(EchoService, handlers),
);
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) {
    throw error;
  }
  console.log(`payonce is ready\n  gRPC       127.0.0.1:${port}\n  HTTP       none`);
});
