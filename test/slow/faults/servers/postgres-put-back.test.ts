import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Pool } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { clusterIn } from "../../../../src/dev-servers/postgres-cluster.js";
import {
  type DeploymentEvent,
  type DeploymentWatch,
  idempotencyMigrations,
  migrate,
  openDatabase,
  watchDeployment,
} from "../../../../src/stores/postgres/index.js";
import { type OwnPostgres, startOwnPostgres } from "../../../support/faults/own-postgres.js";
import { copyFiles } from "../../../support/servers/copy-files.js";
import { copyData } from "./data-directory.js";

/** Far above the second within which the database is looked at, on a busy machine. */
const NOTICE = { timeout: 20_000 };

let postgres: OwnPostgres;
let pool: Pool;
let watch: DeploymentWatch;
const causes: string[] = [];

beforeAll(async () => {
  postgres = await startOwnPostgres();
  pool = openDatabase(postgres.url, () => {});
  await migrate(pool, idempotencyMigrations);
  watch = await watchDeployment(pool, {
    onEvent: (event: DeploymentEvent) => {
      causes.push(event.type === "new_generation" ? event.cause : event.type);
    },
  });
});

afterAll(async () => {
  await watch?.stop();
  await pool?.end();
  await postgres?.close();
});

describe("a process that lives on while its Postgres is stopped and started", () => {
  it("takes a plain restart, and a crash, for a new generation that has lost nothing", async () => {
    await postgres.stopInOrder();
    await postgres.start();
    await expect.poll(() => causes, NOTICE).toEqual(["restarted"]);
    await pool.query("CREATE TABLE work (what text)");
    await postgres.stopImmediately();
    await postgres.start();
    await expect.poll(() => causes, NOTICE).toEqual(["restarted", "restarted"]);
    expect(watch.restoredAgoMs()).toBeUndefined();
  });

  it("takes older data put in the place of its own for a restore, with no word of an operator", async () => {
    const { data: old } = await copyData(postgres);
    await expect.poll(() => causes, NOTICE).toHaveLength(3);
    const { generation } = watch.deployment();
    // The process has to have seen the database as it was after the copy.
    await pool.query("INSERT INTO work SELECT repeat('x', 1000) FROM generate_series(1, 1000)");
    await pool.query("UPDATE deployment SET id = id");
    await expect.poll(() => watch.deployment().generation, NOTICE).not.toBe(generation);

    await postgres.stopImmediately();
    const { data } = clusterIn(join(postgres.dataDir, "postgres"));
    await rm(data, { recursive: true });
    await copyFiles(old, data);
    causes.splice(0);
    await postgres.start();
    await expect.poll(() => causes, NOTICE).toEqual(["restored"]);
    expect(watch.restoredAgoMs()).toBeLessThan(NOTICE.timeout);
  });
});
