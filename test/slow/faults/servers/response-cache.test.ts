import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { okOutcome } from "../../../../src/idempotency/port/outcome.js";
import { scopeHash } from "../../../../src/idempotency/port/scope.js";
import { tokenHash } from "../../../../src/server/tokens.js";
import { readDeployment } from "../../../../src/stores/postgres/index.js";
import { createCachedOutcomes } from "../../../../src/stores/redis/cached-outcome.js";
import {
  type FaultCluster,
  startFaultCluster,
  tell,
} from "../../../support/faults/fault-cluster.js";
import { countDecisions } from "../../../support/faults/gate-metrics.js";
import {
  answerOf,
  isReplayed,
  openPayments,
  type PaymentsClient,
  paymentOf,
} from "../../../support/payments/payments-client.js";
import { payonce } from "../../../support/service/command-line.js";
import type { ServiceProcess } from "../../../support/service/service-process.js";

const OPERATION = "payonce.payments.v1.PaymentService/CreatePayment";
const TENANTS = ["acme", "globex"] as const;
type Tenant = (typeof TENANTS)[number];

/** Places of a copy in which one bit is flipped, evenly spread. */
const FLIPS = 25;

let cluster: FaultCluster;
let service: ServiceProcess;
let directory: string;
let environment: Readonly<Record<string, string>>;
let redis: readonly Redis[];
const clients: PaymentsClient[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "payonce-test-copies-"));
  const tokensFile = join(directory, "tokens.json");
  const tokens = TENANTS.map((tenant) => ({ sha256: tokenHash(tenant), tenant, role: "caller" }));
  await writeFile(tokensFile, JSON.stringify(tokens));
  environment = { AUTH_TOKENS_FILE: tokensFile };
  cluster = await startFaultCluster({ services: 0 });
  service = await cluster.addService(environment);
  redis = cluster.redisNodes.map(({ url }) => new Redis(url));
});

afterAll(async () => {
  for (const client of [
    ...(redis ?? []).map((node) => ({ close: () => node.disconnect() })),
    ...clients,
  ]) {
    client.close();
  }
  await cluster?.stop();
  await rm(directory, { recursive: true, force: true });
});

function callAs(tenant: Tenant, at: ServiceProcess = service) {
  const client = openPayments(at.grpcAddress, { token: tenant });
  clients.push(client);
  return (key: string) => client.createPayment(paymentOf("tok_visa"), key);
}

/** What names in Redis begin with, now. */
async function namespace(): Promise<string> {
  const { id, generation } = await readDeployment(cluster.pool);
  return `payonce:${id}:${generation}`;
}

async function copyName(tenant: Tenant, key: string): Promise<string> {
  const hash = Buffer.from(scopeHash({ tenant, operation: OPERATION, key })).toString("hex");
  return `${await namespace()}:copy:${hash}`;
}

/** The copy of an answer, once all nodes have it. */
async function copyOf(tenant: Tenant, key: string): Promise<Buffer> {
  const name = await copyName(tenant, key);
  const copies = () => Promise.all(redis.map((node) => node.getBuffer(name)));
  await expect.poll(async () => (await copies()).every((copy) => copy !== null)).toBe(true);
  const [copy] = await copies();
  return copy ?? Buffer.alloc(0);
}

async function putCopy(tenant: Tenant, key: string, copy: Uint8Array): Promise<void> {
  const name = await copyName(tenant, key);
  await Promise.all(redis.map((node) => node.set(name, Buffer.from(copy))));
}

/** A payment that is answered, with its answer and its copy. */
async function paid(tenant: Tenant, key: string) {
  const first = await callAs(tenant)(key);
  expect(isReplayed(first)).toBe(false);
  return { first, copy: await copyOf(tenant, key) };
}

type First = Awaited<ReturnType<typeof paid>>["first"];

/** Expects the first answer, out of a copy or not. */
async function expectReplay(options: {
  readonly tenant: Tenant;
  readonly key: string;
  readonly first: First;
  /** Not looked at if absent. */
  readonly hits?: number;
  readonly at?: ServiceProcess;
}): Promise<void> {
  const { tenant, key, first, at = service } = options;
  const before = await countDecisions(at, "hit");
  const replay = await callAs(tenant, at)(key);
  expect(isReplayed(replay)).toBe(true);
  expect(answerOf(replay)).toEqual(answerOf(first));
  const hits = (await countDecisions(at, "hit")) - before;
  expect(hits).toBe(options.hits ?? hits);
}

describe("what is not the copy of an answer is never answered with", () => {
  it("while a copy that is, spares the database", async () => {
    const { first, copy } = await paid("acme", "whole");
    await expectReplay({ tenant: "acme", key: "whole", first, hits: 1 });
    await putCopy("acme", "whole", copy);
    await expectReplay({ tenant: "acme", key: "whole", first, hits: 1 });
  });

  it("flipped bits: only where they change nothing that is answered, a copy still counts", async () => {
    const { first, copy } = await paid("acme", "flipped");
    const before = await countDecisions(service, "hit");
    for (let flip = 0; flip < FLIPS; flip += 1) {
      const place = Math.floor(((copy.length - 1) * flip) / (FLIPS - 1));
      const flipped = Buffer.from(copy);
      flipped[place] = (flipped[place] ?? 0) ^ (1 << (flip % 8));
      await putCopy("acme", "flipped", flipped);
      await expectReplay({ tenant: "acme", key: "flipped", first });
    }
    // A decoder overlooks some bits of the framing; the checksum is over what it has read.
    const hits = (await countDecisions(service, "hit")) - before;
    tell(`response cache: ${FLIPS} copies with a flipped bit, hits ${hits}, other answers 0`);
    expect(hits).toBeLessThan(FLIPS / 2);
  });

  it("truncated, empty and extended bytes", async () => {
    const { first, copy } = await paid("acme", "truncated");
    const half = copy.subarray(0, copy.length / 2);
    const others = [Buffer.alloc(0), copy.subarray(0, 1), half, copy.subarray(0, -1)];
    for (const other of [...others, Buffer.concat([copy, half]), Buffer.from("OK")]) {
      await putCopy("acme", "truncated", other);
      await expectReplay({ tenant: "acme", key: "truncated", first, hits: 0 });
    }
    tell("response cache: 6 copies of another length, hits 0, effects 1");
  });

  it("another key's copy, of an equal request", async () => {
    const { first } = await paid("acme", "own");
    const { copy } = await paid("acme", "another");
    await putCopy("acme", "own", copy);
    await expectReplay({ tenant: "acme", key: "own", first, hits: 0 });
  });

  it("another tenant's copy, of an equal request under an equal key", async () => {
    const { first } = await paid("acme", "equal");
    const { first: others, copy } = await paid("globex", "equal");
    expect(answerOf(others)).not.toEqual(answerOf(first));
    await putCopy("acme", "equal", copy);
    await expectReplay({ tenant: "acme", key: "equal", first, hits: 0 });
    await expectReplay({ tenant: "globex", key: "equal", first: others, hits: 1 });
  });

  it("a copy under a key that nobody has used: the call is executed", async () => {
    const { copy } = await paid("acme", "used");
    await putCopy("acme", "unused", copy);
    expect(isReplayed(await callAs("acme")("unused"))).toBe(false);
  });

  it("a forgery with a right checksum, where copies are signed", async () => {
    const RESPONSE_CACHE_SECRET = "a secret that whoever writes to Redis does not know";
    const signing = await cluster.addService({ ...environment, RESPONSE_CACHE_SECRET });
    const first = await callAs("acme", signing)("forged");
    const { scope, fingerprint } = await storedCall("acme", "forged");
    const prefix = await namespace();
    const forger = createCachedOutcomes({ namespace: () => prefix });
    const { first: another } = await paid("acme", "forger's");
    await putCopy("acme", "forged", forger.encode(scope, fingerprint, okOutcome(another.body)));
    await expectReplay({ tenant: "acme", key: "forged", first, hits: 0, at: signing });
  });

  it("a copy from before a restore", async () => {
    const { first, copy } = await paid("acme", "restored");
    const { code, stdout } = await payonce(["migrate", "--restored"], {
      DATABASE_URL: cluster.database.url,
    });
    expect(code, stdout).toBe(0);
    const restarted = await cluster.addService(environment);
    // Under its old name nobody looks for it; under the new one it proves nothing.
    await expectReplay({ tenant: "acme", key: "restored", first, hits: 0, at: restarted });
    await putCopy("acme", "restored", copy);
    await expectReplay({ tenant: "acme", key: "restored", first, hits: 0, at: restarted });
    tell("response cache: copies of the generation before `payonce migrate --restored`, hits 0");
  });

  it("and no invariant is violated", () => cluster.expectNothingViolated());
});

/** Of what the database has of a call: all that a forger may know. */
async function storedCall(tenant: Tenant, key: string) {
  const { rows } = await cluster.pool.query<{
    fingerprint_version: number;
    fingerprint: Buffer;
    raw_hash: Buffer;
  }>(
    `SELECT fingerprint_version, fingerprint, raw_hash FROM idempotency_records
     WHERE tenant = $1 AND idempotency_key = $2`,
    [tenant, key],
  );
  const [row] = rows;
  if (row === undefined) {
    throw new Error(`there is no record of ${key}`);
  }
  const { fingerprint_version: version, fingerprint: canonical, raw_hash: raw } = row;
  return { scope: { tenant, operation: OPERATION, key }, fingerprint: { version, canonical, raw } };
}
