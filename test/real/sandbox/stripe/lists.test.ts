import { describe, expect, it } from "vitest";
import { checkAgainstOpenApi } from "./exchanges.js";
import { charge, runStripeSandbox, type StripeSandbox, stripeFailure } from "./support.js";

checkAgainstOpenApi();

/** Five charges, from the oldest to the newest. */
async function createFive({ stripe }: StripeSandbox): Promise<string[]> {
  const ids: string[] = [];
  for (const order of ["1", "2", "3", "4", "5"]) {
    const metadata = { payonce_payment_id: `payment-${order}`, order };
    ids.push((await stripe.paymentIntents.create(charge({ metadata }))).id);
  }
  return ids;
}

describe("a list", () => {
  it("goes from the newest to the oldest, in pages that a cursor continues, also after a restart", async () => {
    const running = await runStripeSandbox();
    const ids = await createFive(running);
    const newestFirst = [...ids].reverse();
    await running.sandbox.close();
    const { stripe } = await runStripeSandbox({ dataDir: running.dataDir });

    const first = await stripe.paymentIntents.list({ limit: 2 });
    expect(first.data.map(({ id }) => id)).toEqual(newestFirst.slice(0, 2));
    expect(first.has_more).toBe(true);
    const last = await stripe.paymentIntents.list({ limit: 2, starting_after: ids[1] ?? "" });
    expect(last.data.map(({ id }) => id)).toEqual([ids[0]]);
    expect(last.has_more).toBe(false);
    const before = await stripe.paymentIntents.list({ limit: 2, ending_before: ids[1] ?? "" });
    expect(before.data.map(({ id }) => id)).toEqual([ids[3], ids[2]]);
    expect(before.has_more).toBe(true);

    const all: string[] = [];
    for await (const { id } of stripe.paymentIntents.list({ limit: 2 })) {
      all.push(id);
    }
    expect(all).toEqual(newestFirst);
  });

  it("takes bounds of the time of creation", async () => {
    const running = await runStripeSandbox();
    const { stripe } = running;
    await createFive(running);
    const [newest] = (await stripe.paymentIntents.list({ limit: 1 })).data;
    const created = newest?.created ?? 0;
    const count = async (range: object) =>
      (await stripe.paymentIntents.list({ created: range })).data.length;

    expect(await count({ gte: created - 60, lte: created })).toBe(5);
    expect(await count({ gt: created })).toBe(0);
    expect(await count({ lt: created - 60 })).toBe(0);
  });

  it("of refunds or charges may be of one intent", async () => {
    const running = await runStripeSandbox();
    const { stripe } = running;
    const [one = "", other = ""] = await createFive(running);
    const refunds: string[] = [];
    for (const amount of [1, 2, 3]) {
      const metadata = { payonce_operation: `${amount}` };
      refunds.push((await stripe.refunds.create({ payment_intent: one, amount, metadata })).id);
    }
    await stripe.refunds.create({ payment_intent: other });

    const { data } = await stripe.refunds.list({ payment_intent: one });
    expect(data.map(({ id }) => id)).toEqual([...refunds].reverse());
    expect(data[0]?.metadata).toEqual({ payonce_operation: "3" });
    const rest = await stripe.refunds.list({
      payment_intent: one,
      limit: 1,
      starting_after: refunds[2] ?? "",
    });
    expect(rest).toMatchObject({ has_more: true, data: [{ id: refunds[1] }] });
    expect((await stripe.refunds.list()).data).toHaveLength(4);
    expect(await stripe.refunds.retrieve(refunds[0] ?? "")).toMatchObject({ amount: 1 });
    expect((await stripe.charges.list({ payment_intent: other })).data).toMatchObject([
      { payment_intent: other, refunded: true },
    ]);
    expect((await stripe.charges.list()).data).toHaveLength(5);
  });

  it("refuses a cursor of nothing", async () => {
    const { stripe } = await runStripeSandbox();
    const error = await stripeFailure(stripe.paymentIntents.list({ starting_after: "pi_none" }));
    expect(error).toMatchObject({ statusCode: 400, param: "starting_after" });
  });
});

describe("a search", () => {
  it("finds intents by metadata, in pages", async () => {
    const running = await runStripeSandbox();
    const { stripe } = running;
    const ids = await createFive(running);
    const search = (query: string) =>
      stripe.paymentIntents.search({ query }).then(({ data }) => data.map(({ id }) => id));

    expect(await search("metadata['payonce_payment_id']:'payment-2'")).toEqual([ids[1]]);
    expect(await search('metadata["order"]:"3" AND status:\'succeeded\'')).toEqual([ids[2]]);
    expect(await search("metadata['order']:'3' AND status:'canceled'")).toEqual([]);

    const query = "currency:'eur'";
    const page = await stripe.paymentIntents.search({ query, limit: 2 });
    expect(page).toMatchObject({ object: "search_result", has_more: true });
    const all: string[] = [];
    for await (const { id } of stripe.paymentIntents.search({ query, limit: 2 })) {
      all.push(id);
    }
    expect(all).toEqual([...ids].reverse());
  });

  it("misses a new intent for as long as it lags; retrieval and lists do not", async () => {
    const { stripe } = await runStripeSandbox({ stripeSearchLagMs: 3_000 });
    const { id } = await stripe.paymentIntents.create(charge());
    const query = "metadata['payonce_payment_id']:'payment-1'";

    expect((await stripe.paymentIntents.search({ query })).data).toEqual([]);
    expect((await stripe.paymentIntents.list()).data).toHaveLength(1);
    expect((await stripe.paymentIntents.retrieve(id)).id).toBe(id);
    await expect
      .poll(async () => (await stripe.paymentIntents.search({ query })).data.length, {
        timeout: 10_000,
      })
      .toBe(1);
  });

  it.each(["", "metadata['order']", "amount>100", "metadata['a']:'1' OR metadata['b']:'2'"])(
    "refuses the query %j",
    async (query) => {
      const { stripe } = await runStripeSandbox();
      const error = await stripeFailure(stripe.paymentIntents.search({ query }));
      expect(error).toMatchObject({ statusCode: 400, param: "query" });
    },
  );
});
