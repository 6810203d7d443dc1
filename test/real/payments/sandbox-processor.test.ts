import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createSandboxProcessor } from "../../../src/payments/processors/sandbox.js";
import { type Sandbox, startSandbox } from "../../../src/sandbox/server.js";
import { eur } from "./support.js";

let directory: string;
let sandbox: Sandbox;
let processor: ReturnType<typeof createSandboxProcessor>;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "payonce-processor-"));
  sandbox = await startSandbox({ listen: { host: "127.0.0.1", port: 0 }, dataDir: directory });
  processor = createSandboxProcessor({ address: sandbox.address, timeoutMs: 1_000 });
});
afterAll(async () => {
  processor.close();
  await sandbox.close();
  await rm(directory, { recursive: true, force: true });
});

const authorization = (name: string, paymentMethod = "tok_visa") => ({
  processorKey: `pk_${name}`,
  tenant: "default",
  paymentId: `pay_${name}`,
  amount: eur(1000n),
  paymentMethod,
  capture: false,
});
const part = (name: string, minorUnits: bigint) => ({
  processorKey: `pk_${name}_${minorUnits}`,
  tenant: "default",
  paymentId: `pay_${name}`,
  amount: eur(minorUnits),
});
const approved = { kind: "approved" };

it("every operation is approved and means what it says", async () => {
  expect(await processor.authorize(authorization("all"))).toEqual(approved);
  expect(await processor.capture(part("all", 400n))).toEqual(approved);
  expect(await processor.refund(part("all", 300n))).toEqual(approved);
  expect(await processor.authorize(authorization("void"))).toEqual(approved);
  const voided = { processorKey: "pk_voided", tenant: "default", paymentId: "pay_void" };
  expect(await processor.void(voided)).toEqual(approved);
});

it("a decline is a decision, with its code", async () => {
  expect(await processor.authorize(authorization("no", "tok_insufficient_funds"))).toEqual({
    kind: "declined",
    declineCode: "insufficient_funds",
  });
});

it("everything else is no decision: a lost reply, an error, another amount, silence", async () => {
  const lost = authorization("lost", "tok_drop_reply");
  await expect(processor.authorize(lost)).rejects.toThrow();
  expect(await processor.authorize(lost)).toEqual(approved);

  await expect(
    processor.authorize(authorization("error", "tok_error_after_charge")),
  ).rejects.toThrow("INTERNAL");
  await expect(processor.authorize({ ...lost, amount: eur(1n) })).rejects.toThrow(
    "FAILED_PRECONDITION",
  );
  await expect(processor.authorize(authorization("silent", "tok_never"))).rejects.toThrow(
    "DEADLINE_EXCEEDED",
  );
});

it("a processor that is away is no decision, and is reached again once it is back", async () => {
  const away = createSandboxProcessor({ address: "127.0.0.1:1", timeoutMs: 1_000 });
  await expect(away.authorize(authorization("away"))).rejects.toThrow("UNAVAILABLE");
  away.close();

  const [host = "", port] = sandbox.address.split(":");
  await sandbox.close();
  await expect(processor.authorize(authorization("restart"))).rejects.toThrow();
  sandbox = await startSandbox({ listen: { host, port: Number(port) }, dataDir: directory });
  await expect
    .poll(() => processor.authorize(authorization("restart")).catch(String), { timeout: 5_000 })
    .toEqual(approved);
});
