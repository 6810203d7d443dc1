import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type OwnPostgres, startOwnPostgres } from "../../../support/faults/own-postgres.js";
import { startServiceProcess } from "../../../support/service/service-process.js";
import { type Standby, startStandby } from "./standby.js";

/** For so long the service may not say that it is ready. */
const STANDBY_MS = 3_000;

let postgres: OwnPostgres;
let standby: Standby;

beforeAll(async () => {
  postgres = await startOwnPostgres();
  standby = await startStandby(postgres);
});

afterAll(async () => {
  await standby?.close();
  await postgres?.close();
});

it("a start on a standby waits until it is promoted, and says so", async () => {
  let promotedAtMs = Number.POSITIVE_INFINITY;
  const promoting = sleep(STANDBY_MS).then(async () => {
    await postgres.stopImmediately();
    promotedAtMs = performance.now();
    await standby.promote();
  });
  const service = await startServiceProcess({
    env: { DATABASE_URL: standby.url, PROCESSOR_URL: "instant:", LOG_LEVEL: "warn" },
  });
  expect(performance.now()).toBeGreaterThan(promotedAtMs);
  expect(service.output()).toMatch(/the server is a standby.*waiting for the database/);
  await promoting;
  await service.stop();
});
