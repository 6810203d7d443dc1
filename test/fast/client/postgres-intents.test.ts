import { describe, expect, it } from "vitest";
import {
  type IntentQueries,
  type IntentRow,
  postgresIntentStore,
} from "../../../clients/typescript/src/postgres-intents.js";

const ROW: IntentRow = {
  name: "order-1/charge",
  key: "key-1",
  request: new Uint8Array([1, 2]),
  create_time: new Date(0),
};

/** A database's client of which nothing is known but its `query`. */
function answering(rows: readonly IntentRow[]): IntentQueries {
  return { query: async () => ({ rows }) };
}

describe("the store of intents in Postgres", () => {
  it("takes any object with a query", async () => {
    const { create_time: createTime, ...others } = ROW;
    const intent = { ...others, createTime };
    const store = postgresIntentStore(answering([ROW]));
    expect(await store.save(intent)).toEqual(intent);
    expect(await store.unfinished(10)).toEqual([intent]);
    await store.settle(ROW.name);
  });

  it("settles no intent that is not there", async () => {
    const settling = postgresIntentStore(answering([])).settle(ROW.name);
    await expect(settling).rejects.toThrow('there is no intent "order-1/charge" to settle');
  });
});
