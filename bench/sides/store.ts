import { startCpuMeter } from "../lab/cpu.js";
import type { Lab } from "../lab/lab.js";
import type { StoreWork } from "../programs/store-calls.js";
import type { Table } from "../report/result.js";
import type { FilledStore } from "../scale/store.js";
import type { Side } from "./side.js";

/** Calls of a store that holds many records, which are as many again before each measurement. */
export function createStoreSide({ postgres }: Lab, store: FilledStore, work: StoreWork): Side {
  const { program } = store;
  return {
    async measure({ atOnce, seconds }) {
      const readCpu = startCpuMeter({ server: [program.pid], postgres: [postgres.pid] });
      const measured = await program.ask({ work, callers: atOnce, seconds });
      const cpuMs = readCpu();
      await store.forgetNewCalls();
      return { ...measured, cpuMs };
    },
  };
}

/** What a record of a completed call takes in Postgres. */
export function storeTable(stores: readonly FilledStore[]): Table {
  return {
    title: "The store of record, bytes a record",
    lines: stores.map(({ records, bytes: { table, indexes } }) => ({
      records,
      table: table / records,
      indexes: indexes / records,
      "table and indexes": (table + indexes) / records,
    })),
  };
}
