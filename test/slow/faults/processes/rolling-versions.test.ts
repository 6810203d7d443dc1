import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { StoredOutcomeSchema } from "../../../../src/gen/payonce/idempotency/v1/outcome_pb.js";
import { CreatePaymentRequestSchema } from "../../../../src/gen/payonce/payments/v1/payments_pb.js";
import { FaultAction } from "../../../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import { Code } from "../../../../src/idempotency/answers/code.js";
import {
  type FaultCluster,
  LEASE_MS,
  startFaultCluster,
  tell,
} from "../../../support/faults/fault-cluster.js";
import { makeNextBuild, type NextBuild } from "../../../support/next-build/next-build.js";
import {
  CALLERS,
  expectReplays,
  noteOf,
  type Paid,
  pay,
  payingDuring,
  requestOf,
} from "../../../support/next-build/next-build-callers.js";
import { NEXT_BUILD, NOTE, noteIn, withNote } from "../../../support/next-build/next-build-note.js";
import {
  isReplayed,
  type PaymentsClient,
  refusalOf,
} from "../../../support/payments/payments-client.js";
import { post } from "../../../support/service/http.js";
import { ALL_CALLS } from "../../../support/service/processor.js";
import { type ServiceProcess, waitUntil } from "../../../support/service/service-process.js";
import { beginWaitingPayment } from "../../../support/service/waiting-payment.js";

/** Longer than a busy machine pauses: a claim that is taken over was left behind. */
const PATIENT_LEASE_MS = 15_000;

/** Answers before each restart and after the last one: more than are under way. */
const ANSWERS_BETWEEN = 2 * CALLERS;

const ANSWERS_LIMIT_MS = 40_000;

/** Three services that stop and start one after the other, on a busy machine. */
const ROLL_LIMIT_MS = 120_000;

/** So that calls are under way whenever a service is stopped. */
const PROCESSOR_DELAY = durationFromMs(150);

/** The owner is gone by then. */
const LONG_PROCESSOR_DELAY_MS = 5_000;

/** What a caller writes into the field that only the next build knows. */
const CALLERS_NOTE = "of a caller";

type Build = "old" | "next";

let cluster: FaultCluster;
let nextBuild: NextBuild;
let redis: readonly Redis[];

/** The three that callers ask, each at its address. */
let running: readonly ServiceProcess[];

/** Every payment that was answered, from the first build on. */
const paid: Paid[] = [];

beforeAll(async () => {
  [cluster, nextBuild] = await Promise.all([
    startFaultCluster({ services: 3, env: { IDEMPOTENCY_LEASE_MS: String(PATIENT_LEASE_MS) } }),
    makeNextBuild(),
  ]);
  running = [...cluster.services];
  redis = cluster.redisNodes.map(({ url }) => new Redis(url));
});

afterAll(async () => {
  for (const node of redis ?? []) {
    node.disconnect();
  }
  await cluster?.stop();
  await nextBuild?.remove();
});

describe.each<{ from: Build; to: Build }>([
  { from: "old", to: "next" },
  { from: "next", to: "old" },
])("a rolling restart from the $from build to the $to one", ({ from, to }) => {
  /** One of each build: the one that was left, then the one that took its place. */
  let services: readonly [ServiceProcess, ServiceProcess];
  let clients: readonly [PaymentsClient, PaymentsClient];

  it("leaves nothing behind, and charges each key once", { timeout: ROLL_LIMIT_MS }, async () => {
    await cluster.processor.arm({
      action: FaultAction.DELAY_AFTER,
      delay: PROCESSOR_DELAY,
      count: ALL_CALLS,
    });
    const takenOverBefore = await cluster.countTakeovers();
    const during: Paid[] = [];
    const exitCodes = await payingDuring({
      clients: running.map(cluster.connect),
      prefix: `${from}-to-${to}`,
      onPaid: (payment) => during.push(payment),
      work: () => rollTo(to, during),
    });
    await cluster.processor.arm();
    paid.push(...during);
    const byNext = during.filter(({ answer }) => noteOf(answer) === NEXT_BUILD).length;
    const effects = await cluster.processor.countEffects();
    tell(
      `restarted 3 services of the ${from} build as the ${to} one: exit codes ${exitCodes.join(" ")}; ${during.length} keys, answered by the next build ${byNext}, by the old one ${during.length - byNext}; effects ${effects} for ${paid.length} keys so far`,
    );
    expect(exitCodes).toEqual([0, 0, 0]);
    expect(byNext).toBeGreaterThan(0);
    expect(byNext).toBeLessThan(during.length);
    expect(effects).toBe(paid.length);
    expect(await cluster.countTakeovers()).toEqual(takenOverBefore);
  });

  it("what a killed owner of the one has begun is ended by the other", async () => {
    const owner = await start(from, { IDEMPOTENCY_LEASE_MS: String(LEASE_MS) });
    const atOwner = cluster.connect(owner);
    const begun = [];
    for (const action of [FaultAction.DELAY_BEFORE, FaultAction.DELAY_AFTER] as const) {
      const key = `killed-${from}-${FaultAction[action]}`;
      const request = withNote(requestOf(), CALLERS_NOTE);
      const { result } = await beginWaitingPayment({
        processor: cluster.processor,
        key,
        action,
        delayMs: LONG_PROCESSOR_DELAY_MS,
        send: () => atOwner.createPayment(request, key),
      });
      begun.push({ key, request, result });
    }
    owner.kill("SIGKILL");
    await owner.exited;
    await cluster.recovered();
    const survivors = running.map(cluster.connect);
    for (const { key, request, result } of begun) {
      expect((await result).code).not.toBe(Code.OK);
      const answer = await pay(survivors, { key, request });
      expect(isReplayed(answer)).toBe(true);
      expect(noteOf(answer)).toBe(to === "next" ? NEXT_BUILD : undefined);
      await cluster.expectOneCharge(key);
      paid.push({ key, request, answer });
    }
    tell(
      `killed owner pid ${owner.pid} of the ${from} build with ${begun.length} calls under way: ended by the ${to} build, effects 1 each`,
    );
  });

  it("each build replays every answer of both, byte for byte, and drops nothing of it", async () => {
    const survivor = running[0];
    if (survivor === undefined) {
      throw new Error("no service is running");
    }
    services = [await start(from), survivor];
    clients = [cluster.connect(services[0]), cluster.connect(services[1])];
    const stored = await storedOutcomes();
    await expectReplays(clients, paid);
    await Promise.all(redis.map((node) => node.flushall()));
    await expectReplays(clients, paid);
    expect(await storedOutcomes()).toEqual(stored);
    for (const { key, answer } of paid) {
      // The next build adds its field within the response and in the record around it.
      expect(noteIn(stored.get(key))).toBe(noteOf(answer));
    }
    tell(
      `${paid.length} keys replayed by a service of each build, with copies in Redis and without: equal bytes`,
    );
  });

  it("a request with a field that only the next build knows is executed once, by whichever is asked first, and replayed by the other", async () => {
    const key = `unknown-field-${from}-first`;
    const request = requestOf({ metadata: { a: "1", b: "2" } });
    const noted = withNote(request, CALLERS_NOTE);
    // Equal bytes are the same request to any build; these have only an equal canonical form.
    const reordered = withNote(requestOf({ metadata: { b: "2", a: "1" } }), CALLERS_NOTE);
    const [bytes, others] = [noted, reordered].map((message) =>
      toBinary(CreatePaymentRequestSchema, message),
    );
    expect(others).not.toEqual(bytes);

    const answer = await pay(clients, { key, request: noted });
    expect(isReplayed(answer)).toBe(false);
    paid.push({ key, request: noted, answer });
    await expectReplays(clients, [
      { key, request: noted, answer },
      { key, request: reordered, answer },
    ]);
    for (const client of clients) {
      for (const other of [request, withNote(request, "of another caller")]) {
        const refusal = refusalOf(await client.createPayment(other, key));
        expect(refusal.reason).toBe("IDEMPOTENCY_KEY_REUSED");
      }
    }
    await cluster.expectOneCharge(key);
    expect(await cluster.processor.countEffects()).toBe(paid.length);
  });

  it("as JSON it is always refused by the old build, and executed once by the next", async () => {
    const key = `unknown-field-in-json-${from}-first`;
    const statuses = [];
    for (const service of [...services, ...services]) {
      statuses.push(await payInJson(service, key));
    }
    const once = from === "next" ? [200, 400] : [400, 200];
    expect(statuses).toEqual([...once, ...once]);

    const request = withNote(requestOf(), CALLERS_NOTE);
    const answer = await pay(clients, { key, request });
    expect(noteOf(answer)).toBe(NEXT_BUILD);
    paid.push({ key, request, answer });
    await expectReplays(clients, [{ key, request, answer }]);
    expect(await cluster.processor.countEffects()).toBe(paid.length);
  });
});

it("violates no invariant", () => cluster.expectNothingViolated());

function start(build: Build, env: Readonly<Record<string, string>> = {}): Promise<ServiceProcess> {
  return cluster.addService(env, build === "old" ? undefined : nextBuild.entry);
}

/** Restarts one service after the other as another build, each time once more has been answered. */
async function rollTo(build: Build, answered: readonly Paid[]) {
  const moreIsAnswered = () => {
    const enough = answered.length + ANSWERS_BETWEEN;
    return waitUntil(() => answered.length >= enough, ANSWERS_LIMIT_MS);
  };
  const exitCodes: (number | null)[] = [];
  const restarted: ServiceProcess[] = [];
  for (const service of running) {
    await moreIsAnswered();
    service.kill("SIGTERM");
    exitCodes.push(await service.exited);
    restarted.push(await start(build, { GRPC_LISTEN: service.grpcAddress }));
  }
  await moreIsAnswered();
  running = restarted;
  return exitCodes;
}

/** Sends a request with the next build's field as JSON, which names it. Returns the HTTP status. */
async function payInJson({ httpAddress }: ServiceProcess, key: string): Promise<number> {
  const body = JSON.stringify({
    amount: { currency_code: "EUR", minor_units: "1999" },
    payment_method: "tok_visa",
    [NOTE.name]: CALLERS_NOTE,
  });
  return (await post({ address: httpAddress, method: "CreatePayment", body, key })).status;
}

/** What Postgres holds for each key, as the old build reads it. */
async function storedOutcomes() {
  const { rows } = await cluster.pool.query<{ key: string; outcome: Buffer }>(
    "SELECT idempotency_key AS key, outcome FROM idempotency_records",
  );
  return new Map(rows.map(({ key, outcome }) => [key, fromBinary(StoredOutcomeSchema, outcome)]));
}
