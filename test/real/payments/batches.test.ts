import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { CaptureMethod } from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import { Code } from "../../../src/idempotency/answers/code.js";
import type { Reply } from "../../../src/idempotency/answers/reply.js";
import { reasonOf } from "../../support/idempotency/replies.js";
import {
  createAll,
  newKeys,
  type PaymentCalls,
  type PaymentProcess,
  paymentIn,
  startPaymentCalls,
  terms,
  untilFinal,
} from "./calls.js";
import { entriesOf, eur, eventsOf } from "./support.js";

const BATCH = 100;

/** The amount, in cents, of the one payment that a test's constraint refuses. */
const POISON = 666n;
const USUAL = 1_000n;

const created = ["1 PROCESSING", "2 AUTHORIZED"];

let payments: PaymentCalls;
let service: PaymentProcess;

beforeAll(async () => {
  payments = await startPaymentCalls();
  service = payments.open();
});
afterEach(() => payments.expectAudit());
afterAll(() => payments?.stop());

/** Rows for which the condition does not hold are refused until the returned function is called. */
async function refuseRows(table: string, condition: string): Promise<() => Promise<void>> {
  await payments.pool.query(
    `ALTER TABLE ${table} ADD CONSTRAINT poison CHECK (${condition}) NOT VALID`,
  );
  return async () => {
    await payments.pool.query(`ALTER TABLE ${table} DROP CONSTRAINT poison`);
  };
}

const codesOf = (replies: readonly Reply[]) => replies.map(({ code }) => code);

describe("a hundred payments at once", () => {
  it("begin in one commit, and each has its transitions in their order", async () => {
    const ids = await createAll(service, newKeys("hundred", BATCH));
    expect(new Set(ids).size).toBe(BATCH);
    expect(await payments.transactionsOf(ids, 1)).toBe(1);
    for (const id of ids.slice(0, 3)) {
      expect(await eventsOf(payments.pool, id)).toEqual(created);
    }
    expect(
      await payments.count("SELECT count(*) FROM payment_events WHERE payment_id = ANY($1)", ids),
    ).toBe(2 * BATCH);
  });

  it("are the same payments whether or not they begin with their claims", async () => {
    const stepwise = payments.open({ firstWork: "none" });
    const [atOnce, inSteps] = await Promise.all(
      [service, stepwise].map(async ({ create }, index) => {
        const [key = ""] = newKeys(`same-${index}`, 1);
        const request = { ...terms(), captureMethod: CaptureMethod.AUTOMATIC };
        return paymentIn(await create(key, request));
      }),
    );
    if (atOnce === undefined || inSteps === undefined) {
      throw new Error("unreachable");
    }
    const { id, createTime, updateTime, ...rest } = atOnce;
    expect(inSteps).toMatchObject(rest);
    expect(rest).toMatchObject({ captured: eur(USUAL), version: 2n });
    const events = ["1 PROCESSING", "2 CAPTURED"];
    for (const payment of [id, inSteps.id]) {
      expect(await eventsOf(payments.pool, payment)).toEqual(events);
      expect(await entriesOf(payments.pool, payment)).toHaveLength(2);
    }
  });
});

describe("one row that the database refuses, among a hundred", () => {
  const stages: {
    readonly stage: string;
    readonly table: string;
    readonly condition: (key: string) => string;
    readonly firstWork?: "none";
  }[] = [
    {
      stage: "its claim",
      table: "idempotency_records",
      condition: (key) => `idempotency_key <> '${key}'`,
    },
    {
      stage: "what begins with its claim",
      table: "payments",
      condition: () => `amount <> ${POISON}`,
    },
    {
      stage: "its beginning",
      table: "operations",
      condition: () => `minor_units <> ${POISON}`,
      firstWork: "none",
    },
    {
      stage: "its finish",
      table: "operations",
      condition: () => `NOT (state = 'approved' AND minor_units = ${POISON})`,
    },
    {
      stage: "its stored answer",
      table: "idempotency_records",
      condition: (key) => `NOT (state = 'completed' AND idempotency_key = '${key}')`,
    },
  ];

  it.each(stages)("$stage: fails alone, and nothing is done twice", async (options) => {
    const { stage, table, condition, firstWork } = options;
    const process = payments.open(firstWork === undefined ? {} : { firstWork });
    const keys = newKeys(stage.replaceAll(" ", "-"), BATCH);
    const [poisoned = ""] = keys.slice(BATCH / 2);
    const send = (key: string) => process.create(key, terms(key === poisoned ? POISON : USUAL));
    const accept = await refuseRows(table, condition(poisoned));
    let replies: Reply[];
    try {
      replies = await Promise.all(keys.map(send));
    } finally {
      await accept();
    }
    for (const [index, reply] of replies.entries()) {
      const expected = keys[index] === poisoned ? Code.UNAVAILABLE : Code.OK;
      expect([keys[index], reply.code]).toEqual([keys[index], expected]);
    }
    const answer = await untilFinal(() => send(poisoned));
    const ids = [...replies.filter(({ code }) => code === Code.OK), answer].map(
      (reply) => paymentIn(reply).id,
    );
    expect(new Set(ids).size).toBe(BATCH);
    expect(
      await payments.count("SELECT count(*) FROM operations WHERE payment_id = ANY($1)", ids),
    ).toBe(BATCH);
  });

  it("by an exception of a trigger: fails alone", async () => {
    const { pool } = payments;
    await pool.query(`
      CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'not this one'; END $$;
      CREATE TRIGGER refuse BEFORE INSERT ON operations FOR EACH ROW
        WHEN (new.minor_units = ${POISON}) EXECUTE FUNCTION refuse()`);
    const [poisoned = "", ...others] = newKeys("trigger", 20);
    const good = others.map((key) => service.create(key, terms()));
    const bad = service.create(poisoned, terms(POISON));
    const codes = codesOf(await Promise.all(good));
    expect(await bad).toMatchObject({ code: Code.UNAVAILABLE });
    await pool.query("DROP TRIGGER refuse ON operations; DROP FUNCTION refuse");
    expect(codes).toEqual(others.map(() => Code.OK));
    paymentIn(await untilFinal(() => service.create(poisoned, terms(POISON))));
  });

  it("because its request is not valid: is refused as ever, and its key is free", async () => {
    const [invalid = "", ...keys] = newKeys("invalid", 20);
    const refused = service.create(invalid, { ...terms(), paymentMethod: "" });
    await createAll(service, keys);
    expect(await refused).toMatchObject({ code: Code.INVALID_ARGUMENT });
    expect(await refused.then(reasonOf)).toBe("FIELD_INVALID");
    expect(paymentIn(await service.create(invalid, terms()))).toMatchObject({ version: 2n });
  });

  it("because its operation is there although its record is not: is answered as before", async () => {
    const [known = "", ...keys] = newKeys("known", 20);
    const first = await service.create(known, terms());
    await payments.pool.query("DELETE FROM idempotency_records WHERE idempotency_key = $1", [
      known,
    ]);
    const again = service.create(known, terms());
    await createAll(service, keys);
    expect(paymentIn(await again)).toEqual(paymentIn(first));
    expect(await eventsOf(payments.pool, paymentIn(first).id)).toEqual(created);
  });
});

describe("calls that come in one batch", () => {
  it("two captures of one payment that do not fit together: one is admitted", async () => {
    const [id = ""] = await createAll(service, newKeys("two-captures", 1));
    const keys = newKeys("capture", 2);
    const send = (key: string) =>
      service.capture(key, { paymentId: id, amount: eur((USUAL * 6n) / 10n) });
    const replies = await Promise.all(keys.map(send));
    expect(replies.filter(({ code }) => code === Code.OK)).toHaveLength(1);
    const final = await Promise.all(keys.map((key) => untilFinal(() => send(key))));
    expect(codesOf(final).sort()).toEqual([Code.OK, Code.FAILED_PRECONDITION]);
    expect(await eventsOf(payments.pool, id)).toEqual([...created, "3 PARTIALLY_CAPTURED"]);
  });

  it("many captures of several payments, over two processes: no sum exceeds its bound", async () => {
    const other = payments.open();
    const ids = await createAll(service, newKeys("many", 5));
    const keys = newKeys("capture", 100);
    const final = await Promise.all(
      keys.map((key, index) => {
        const request = { paymentId: ids[index % ids.length] ?? "", amount: eur(USUAL / 10n) };
        const { capture } = index % 2 === 0 ? service : other;
        return untilFinal(() => capture(key, request));
      }),
    );
    expect(final.filter(({ code }) => code === Code.OK)).toHaveLength(10 * ids.length);
    expect(
      await payments.count(
        "SELECT count(*) FROM payments WHERE id = ANY($1) AND captured = authorized",
        ids,
      ),
    ).toBe(ids.length);
  });

  it("duplicates of one key, and another request under it: one acts, each is told why", async () => {
    const [key = ""] = newKeys("duplicates", 1);
    const [first, duplicate, other] = await Promise.all([
      service.create(key, terms()),
      service.create(key, terms()),
      service.create(key, terms(USUAL + 1n)),
    ]);
    expect(first && paymentIn(first).version).toBe(2n);
    expect(duplicate && reasonOf(duplicate)).toBe("REQUEST_IN_PROGRESS");
    expect(other && reasonOf(other)).toBe("IDEMPOTENCY_KEY_REUSED");
    const replay = await untilFinal(() => service.create(key, terms()));
    expect(first && paymentIn(replay)).toEqual(first && paymentIn(first));
  });
});
