import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ClientCall } from "../../../../src/audit/client-call.js";
import { Code } from "../../../../src/idempotency/answers/code.js";
import { paymentIdOfKey } from "../../../../src/payments/operation.js";
import { callEach, MANY_CALLS_LIMIT_MS } from "../../../support/calls/call-each.js";
import {
  type FaultCluster,
  seconds,
  startFaultCluster,
  tell,
} from "../../../support/faults/fault-cluster.js";
import { type OwnPostgres, startOwnPostgres } from "../../../support/faults/own-postgres.js";
import { expectAudit } from "../../../support/operators/audit.js";
import {
  answerOf,
  isReplayed,
  type PaymentsClient,
  paymentOf,
  untilAnswered,
} from "../../../support/payments/payments-client.js";
import { processorKeyOfCall } from "../../../support/service/processor.js";
import { waitUntil } from "../../../support/service/service-process.js";
import { makeDisk } from "./full-disk.js";

/** Payments that are answered before the disk is full, that are being charged then, that begin then, and later. */
const PAID = 20;
const CHARGING = 10;
const NEW = 120;
const LATE = 50;
const CALLS = PAID + CHARGING + NEW + LATE;

/** Twice as many as there are callers at once. */
const REFUSALS = 40;

/** All that callers may be told meanwhile. None of it says that nothing was done. */
const ALLOWED_REASONS: readonly (string | undefined)[] = [
  "STORE_UNAVAILABLE",
  "OUTCOME_UNKNOWN",
  "REQUEST_IN_PROGRESS",
  "CLAIM_LOST",
];

/** Far above what any step takes, on a busy machine. */
const LIMIT_MS = 30_000;

/** A few of them fill a segment of Postgres's log (16 MB). */
const LOG_ENTRY_BYTES = 4_000_000;

const disk = await makeDisk();
if (disk === undefined) {
  console.warn("A full disk needs the right to mount one, or prlimit: its tests are left out");
}

describe.runIf(disk)("a disk that is full under load", () => {
  let cluster: FaultCluster;
  let postgres: OwnPostgres;
  let clients: readonly PaymentsClient[];

  beforeAll(async () => {
    [cluster, postgres] = await Promise.all([
      startFaultCluster({ services: 0 }),
      startOwnPostgres(disk),
    ]);
    const env = { DATABASE_URL: postgres.url };
    const services = await Promise.all([cluster.addService(env), cluster.addService(env)]);
    clients = services.map((service) => cluster.connect(service));
  });

  afterAll(async () => {
    await cluster?.stop();
    await postgres?.close();
    await disk?.close();
  });

  function pay({ key, method }: Wanted, index: number) {
    const client = clients[index % clients.length];
    if (client === undefined) {
      throw new Error("services were started");
    }
    return client.createPayment(paymentOf(method), key);
  }

  async function payUntilAnswered(wanted: Wanted, index: number) {
    return (await untilAnswered(() => pay(wanted, index))).answer;
  }

  /** Fills up what Postgres has set aside for its log, a part of it each time. */
  async function fillLog(): Promise<void> {
    const pool = new pg.Pool({ connectionString: postgres.directUrl(), max: 1 });
    pool.on("error", () => {}); // the crash
    await pool
      .query("SELECT pg_logical_emit_message(false, 'filler', repeat('-', $1))", [LOG_ENTRY_BYTES])
      .catch(() => {}); // fails with the crash, and after it
    await pool.end();
  }

  async function arrived({ key }: Wanted): Promise<void> {
    const processorKey = processorKeyOfCall("CreatePayment", key);
    await waitUntil(async () => (await cluster.processor.callsOf(processorKey)) > 0n, LIMIT_MS);
  }

  async function charged({ key }: Wanted): Promise<void> {
    const id = paymentIdOfKey("default", key);
    await waitUntil(async () => (await cluster.processor.effectsOf(id)).length > 0, LIMIT_MS);
  }

  const faults: readonly Fault[] = [
    {
      what: "no room for rows",
      printed: /No space left on device|File too large/,
      worsen: async () => {},
    },
    { what: "no room for the log, and Postgres crashes", printed: /PANIC/, worsen: fillLog },
  ];

  it.each(faults)(
    "$what: every call acts once, and is told nothing else",
    async (fault) => {
      const prefix = fault.what.replaceAll(/[ ,]+/g, "-");
      const paid = payments(`${prefix}-paid`, { count: PAID });
      const charging = payments(`${prefix}-charging`, { count: CHARGING, method: "tok_slow" });
      const fresh = payments(`${prefix}-new`, { count: NEW });
      const late = payments(`${prefix}-late`, { count: LATE });
      const effectsBefore = await cluster.processor.countEffects();
      const first = await callEach(paid, payUntilAnswered);
      const second = callEach(charging, payUntilAnswered);
      await callEach(charging, arrived);

      const logged = cluster.log.calls.length;
      const refused = () => cluster.log.calls.slice(logged).filter(({ code }) => code !== Code.OK);
      const third = callEach(fresh, payUntilAnswered);
      const startedAtMs = performance.now();
      const worsenUntil = (isSo: () => boolean) =>
        waitUntil(async () => {
          await fault.worsen();
          return isSo();
        }, LIMIT_MS);
      await disk?.fill(postgres);
      await worsenUntil(() => fault.printed.test(postgres.output()));
      const fourth = callEach(late, payUntilAnswered);
      await callEach(paid, pay);
      await worsenUntil(() => refused().length >= REFUSALS);
      await callEach(charging, charged);
      const crashed = postgres.output().includes("PANIC");
      await disk?.makeRoom();
      if (crashed) {
        await postgres.stopInOrder(); // if it has not ended by itself
        await postgres.start();
      }
      const fullMs = performance.now() - startedAtMs;

      const answers = [first, await second, await third, await fourth].flat();
      const again = await callEach([...paid, ...charging, ...fresh, ...late], payUntilAnswered);
      const effects = (await cluster.processor.countEffects()) - effectsBefore;
      tell(
        `${fault.what}: ${disk?.how} for ${seconds(fullMs)}, Postgres ${crashed ? "crashed" : "ran on"}; ${CALLS} calls, refused ${reasonsOf(refused())}; the same calls again: effects ${effects}`,
      );
      expect(effects).toBe(CALLS);
      expect(again.map(answerOf)).toEqual(answers.map(answerOf));
      expect(again.every(isReplayed)).toBe(true);
      expect(answers.filter(({ code }) => code !== Code.OK)).toEqual([]);
      expect(refused().filter(({ reason }) => !ALLOWED_REASONS.includes(reason))).toEqual([]);
      await expectAudit(
        { database: { url: postgres.directUrl() }, sandbox: cluster.sandbox },
        { calls: cluster.log.calls },
      );
    },
    MANY_CALLS_LIMIT_MS,
  );
});

interface Fault {
  readonly what: string;
  /** What Postgres prints once it has happened. */
  readonly printed: RegExp;
  /** Done again and again while the disk is full. */
  readonly worsen: () => Promise<void>;
}

/** A payment that is asked for. */
interface Wanted {
  readonly key: string;
  readonly method: string;
}

interface WantedOptions {
  readonly count: number;
  readonly method?: string;
}

function payments(name: string, { count, method = "tok_visa" }: WantedOptions): readonly Wanted[] {
  return Array.from({ length: count }, (_, index) => ({ key: `${name}-${index}`, method }));
}

function reasonsOf(calls: readonly ClientCall[]): string {
  const counts = new Map<string, number>();
  for (const { reason = "without a reason" } of calls) {
    counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  return [...counts].map(([reason, count]) => `${reason} ${count}`).join(", ");
}
