import { create, toBinary } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { expect, it, onTestFinished } from "vitest";
import { AuthorizeRequestSchema } from "../../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import {
  connectSilently,
  HTTP2_PREFACE,
  type SilentPeer,
  startStoppedClient,
} from "../../support/calls/silent-peers.js";
import { type SandboxUnderTest, startSandboxUnderTest } from "../../support/servers/sandbox.js";
import { waitUntil } from "../../support/service/service-process.js";
import {
  authorization,
  authorize,
  connect,
  failure,
  lookup,
  temporaryDirectory,
} from "./support.js";

/** What peers are given to hang up, a disk sync, and time for a busy machine. */
const STOP_LIMIT_MS = 2_000;

const STEP_LIMIT_MS = 20_000;

async function startSandbox(): Promise<SandboxUnderTest> {
  const sandbox = await startSandboxUnderTest(await temporaryDirectory());
  onTestFinished(() => sandbox.stop());
  return sandbox;
}

async function expectStop(sandbox: SandboxUnderTest): Promise<void> {
  const startedAtMs = performance.now();
  sandbox.kill("SIGTERM");
  expect(await sandbox.exited).toBe(0);
  expect(performance.now() - startedAtMs).toBeLessThan(STOP_LIMIT_MS);
}

const unanswered = authorization({ paymentMethod: "tok_never" });
const unansweredMessage = toBinary(
  AuthorizeRequestSchema,
  create(AuthorizeRequestSchema, unanswered),
);
const AUTHORIZE_PATH = `/${authorize.parent.typeName}/${authorize.name}`;

it.each<readonly [string, (address: string) => Promise<SilentPeer>]>([
  ["a silent connection", (address) => connectSilently(address)],
  ["an idle HTTP/2 connection", (address) => connectSilently(address, HTTP2_PREFACE)],
  [
    "a stopped client that waits for an answer",
    (address) => startStoppedClient(address, AUTHORIZE_PATH, unansweredMessage),
  ],
])("SIGTERM ends the sandbox at once, with exit code 0, while there is %s", async (_, open) => {
  const sandbox = await startSandbox();
  const peer = await open(sandbox.address);
  await expectStop(sandbox);
  peer.end();
});

it("SIGTERM drops the calls that wait", async () => {
  const sandbox = await startSandbox();
  const { call } = connect(sandbox.address);
  const failed = failure(call(authorize, unanswered, STEP_LIMIT_MS));
  await waitUntil(async () => {
    const { calls } = await call(lookup, { processorKey: unanswered.processorKey });
    return calls === 1n;
  }, STEP_LIMIT_MS);
  await expectStop(sandbox);
  expect((await failed).code).not.toBe(status.DEADLINE_EXCEEDED);
});
