import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { durableIntents, type IntentStore } from "../../../clients/typescript/src/intents.js";

/** Two clients of one store, as two processes would be. */
export interface IntentStoresUnderTest {
  readonly first: IntentStore;
  readonly second: IntentStore;
  close(): Promise<void>;
}

const NOTHING = new Uint8Array();

/** How many writers begin one intent at once. */
const WRITERS = 20;

/** What every store of intents promises. */
export function intentStoreContract(name: string, open: () => Promise<IntentStoresUnderTest>) {
  describe(name, () => {
    let stores: IntentStoresUnderTest;

    beforeAll(async () => {
      stores = await open();
    });

    afterAll(() => stores?.close());

    function intents() {
      const first = durableIntents({ store: stores.first });
      const second = durableIntents({ store: stores.second });
      return { first, second };
    }

    it("gives one name one key and one request, whoever asks and whenever", async () => {
      const { first, second } = intents();
      const begun = await first.begin("order-1/charge", new Uint8Array([1, 0, 255]));
      const again = await second.begin("order-1/charge", new Uint8Array([9]));
      expect(again.key).toBe(begun.key);
      expect([...again.request]).toEqual([1, 0, 255]);
      expect(again.createTime).toEqual(begun.createTime);
      expect((await second.begin("order-2/charge", NOTHING)).key).not.toBe(begun.key);
    });

    it("gives one key to many that begin the same intent at once", async () => {
      const { first, second } = intents();
      const begun = await Promise.all(
        Array.from({ length: WRITERS }, (_, index) =>
          (index % 2 === 0 ? first : second).begin("order-3/charge", NOTHING),
        ),
      );
      expect(new Set(begun.map(({ key }) => key)).size).toBe(1);
    });

    it("lists what is unfinished, the oldest first, until it is settled", async () => {
      const { first, second } = intents();
      const prefix = `${randomUUID()}/`;
      const ours = async (limit?: number) =>
        (await second.unfinished(limit))
          .map((intent) => intent.name)
          .filter((found) => found.startsWith(prefix));
      for (const [index, step] of ["charge", "refund", "cancel"].entries()) {
        const createTime = new Date(index + 1);
        await stores.first.save({
          name: `${prefix}${step}`,
          key: `key-${index}`,
          request: NOTHING,
          createTime,
        });
      }
      expect(await ours()).toEqual([`${prefix}charge`, `${prefix}refund`, `${prefix}cancel`]);
      expect(await ours(2)).toEqual([`${prefix}charge`, `${prefix}refund`]);
      await first.settle(`${prefix}charge`);
      expect(await ours()).toEqual([`${prefix}refund`, `${prefix}cancel`]);
    });

    it("keeps the key of a name that is settled", async () => {
      const { first, second } = intents();
      const { key } = await first.begin("order-4/charge", NOTHING);
      await first.settle("order-4/charge");
      await second.settle("order-4/charge");
      expect((await second.begin("order-4/charge", NOTHING)).key).toBe(key);
      expect((await second.unfinished()).map((intent) => intent.name)).not.toContain(
        "order-4/charge",
      );
    });

    it("refuses to settle what was never begun", async () => {
      await expect(intents().first.settle("order-5/charge")).rejects.toThrow('"order-5/charge"');
    });

    it("takes any name", async () => {
      const { first, second } = intents();
      const name = `../${"é/".repeat(1_000)}`;
      const { key } = await first.begin(name, NOTHING);
      expect(await second.begin(name, NOTHING)).toMatchObject({ name, key });
    });
  });
}
