import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  create,
  type DescMessage,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { onTestFinished } from "vitest";
import {
  type Result,
  SandboxProcessorService,
} from "../../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import { type Sandbox, startSandbox } from "../../../src/sandbox/server.js";

export const { authorize, capture, refund, lookup, listEffects, setFaults } =
  SandboxProcessorService.method;
export const voidPayment = SandboxProcessorService.method.void;

/** A real gRPC client. Its connection ends with the test. */
export interface GrpcClient {
  /** Answers with the reply, or rejects with a ServiceError. */
  call<Input extends DescMessage, Output extends DescMessage>(
    method: DescMethodUnary<Input, Output>,
    request: MessageInitShape<Input>,
    deadlineMs?: number,
  ): Promise<MessageShape<Output>>;
}

export function connect(address: string, metadata = new Metadata()): GrpcClient {
  const client = new Client(address, credentials.createInsecure());
  onTestFinished(() => client.close());
  return {
    call: (method, request, deadlineMs = 10_000) =>
      new Promise((resolve, reject) => {
        client.makeUnaryRequest(
          `/${method.parent.typeName}/${method.name}`,
          (message: MessageShape<typeof method.input>) =>
            Buffer.from(toBinary(method.input, message)),
          (bytes) => fromBinary(method.output, bytes),
          create(method.input, request),
          metadata,
          { deadline: Date.now() + deadlineMs },
          (error, message) => (message === undefined ? reject(error) : resolve(message)),
        );
      }),
  };
}

export async function temporaryDirectory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "payonce-sandbox-"));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

export interface RunningSandbox extends GrpcClient {
  readonly sandbox: Sandbox;
  readonly dataDir: string;
}

/** A sandbox in this process, which ends with the test at the latest, and a client of it. */
export async function runSandbox(dataDir?: string): Promise<RunningSandbox> {
  const directory = dataDir ?? (await temporaryDirectory());
  const sandbox = await startSandbox({
    listen: { host: "127.0.0.1", port: 0 },
    dataDir: directory,
  });
  onTestFinished(() => sandbox.close());
  return { ...connect(sandbox.address), sandbox, dataDir: directory };
}

/** The lines that are on disk. */
export async function readLines(dataDir: string, file = "journal.jsonl"): Promise<string[]> {
  const text = await readFile(join(dataDir, file), "utf8");
  return text.split("\n").slice(0, -1);
}

export function eur(minorUnits: bigint) {
  return { currencyCode: "EUR", minorUnits };
}

export interface Authorization {
  readonly processorKey: string;
  readonly paymentId: string;
  readonly amount: { readonly currencyCode: string; readonly minorUnits: bigint };
  readonly paymentMethod: string;
  readonly capture?: boolean;
}

/** An authorization of 10 euros, with what the test wants to be different. */
export function authorization(changes: Partial<Authorization> = {}): Authorization {
  return {
    processorKey: "key-1",
    paymentId: "payment-1",
    amount: eur(1000n),
    paymentMethod: "tok_visa",
    ...changes,
  };
}

/** `approved`, or the decline code. */
export function verdict({ result }: { result?: Result | undefined }): string | undefined {
  const decision = result?.decision;
  return decision?.case === "declined" ? decision.value.declineCode : decision?.case;
}

/** The error that a call fails with. */
export async function failure(call: Promise<unknown>): Promise<ServiceError> {
  return call.then(
    () => {
      throw new Error("the call was answered");
    },
    (error) => error,
  );
}
