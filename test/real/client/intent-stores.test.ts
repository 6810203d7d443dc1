import { chmod, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { expect, it } from "vitest";
import { fileIntentStore } from "../../../clients/typescript/src/file-intents.js";
import {
  INTENTS_TABLE_SQL,
  postgresIntentStore,
} from "../../../clients/typescript/src/postgres-intents.js";
import { createDatabase } from "../../support/servers/postgres.js";
import { intentStoreContract } from "./intent-store-contract.js";

intentStoreContract("intents in files", async () => {
  const parent = await mkdtemp(join(tmpdir(), "payonce-test-intents-"));
  const folder = join(parent, "not", "yet", "there");
  return {
    first: fileIntentStore({ folder }),
    second: fileIntentStore({ folder }),
    close: () => rm(parent, { recursive: true }),
  };
});

intentStoreContract("intents in Postgres", async () => {
  const database = await createDatabase();
  const open = () => {
    const pool = new pg.Pool({ connectionString: database.url });
    pool.on("error", () => {}); // dropping the database ends idle connections
    return pool;
  };
  const [first, second] = [open(), open()];
  await first.query(INTENTS_TABLE_SQL);
  await second.query(INTENTS_TABLE_SQL); // may be run again
  return {
    first: postgresIntentStore(first),
    second: postgresIntentStore(second),
    async close() {
      await Promise.all([first.end(), second.end()]);
      await database.drop();
    },
  };
});

it("files are for their owner alone, and nothing half-written stays or counts", async () => {
  const folder = await mkdtemp(join(tmpdir(), "payonce-test-intents-"));
  try {
    await chmod(folder, 0o700);
    const store = fileIntentStore({ folder });
    await Promise.all([1, 2, 3].map((n) => save(`key-${n}`)));
    const [file = "", ...others] = await readdir(folder);
    expect(others).toEqual([]);
    expect((await stat(join(folder, file))).mode & 0o777).toBe(0o600);
    await writeFile(join(folder, `${file}.left-behind.tmp`), '{"name":"or');
    expect(await store.unfinished(10)).toHaveLength(1);

    function save(key: string) {
      return store.save({
        name: "order-1/charge",
        key,
        request: new Uint8Array(),
        createTime: new Date(),
      });
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});
