import { chmod } from "node:fs/promises";
import { expect, it } from "vitest";
import { openPayments, paymentOf } from "../../support/payments/payments-client.js";
import { payonce } from "../../support/service/command-line.js";
import { temporaryDataDir } from "../../support/service/run-embedded-service.js";
import { startServiceProcess } from "../../support/service/service-process.js";

/** What a shell may hold for another Postgres. */
const OF_ANOTHER = {
  PGHOST: "no-such-host.invalid",
  PGHOSTADDR: "192.0.2.1",
  PGPORT: "1",
  PGUSER: "somebody",
  PGPASSWORD: "hunter2",
  PGDATABASE: "elsewhere",
  PGSSLMODE: "require",
  PGSSLNEGOTIATION: "direct",
  PGOPTIONS: "-c search_path=nowhere -c DateStyle=German",
  PGDATA: "/nowhere",
  PGTZ: "Asia/Kathmandu",
  PGDATESTYLE: "German",
  PGCLIENTENCODING: "LATIN1",
};

it("an embedded Postgres is started and used whatever the environment says of another", async () => {
  const dataDir = await temporaryDataDir();
  await chmod(dataDir, 0o755);
  const service = await startServiceProcess({
    env: {
      ...OF_ANOTHER,
      PATH: "/usr/bin:/bin",
      DATA_DIR: dataDir,
      PROCESSOR_URL: "instant:",
      LOG_LEVEL: "warn",
    },
  });
  const payments = openPayments(service.grpcAddress);
  const { response } = await payments.createPayment(paymentOf("tok_visa"), "key");
  expect(response?.payment?.id).toMatch(/\w/);
  payments.close();
  service.kill("SIGTERM");
  expect(await service.exited).toBe(0);
});

it("PGSSLMODE counts for a DATABASE_URL that says nothing else", async () => {
  const { stderr } = await payonce(["migrate"], {
    DATABASE_URL: "postgres://u@127.0.0.1:1/d",
    DATABASE_WAIT_MS: "0",
    ...OF_ANOTHER,
    PGSSLMODE: "disable",
    PGSSLNEGOTIATION: "",
  });
  expect(stderr).toMatch(/^DATABASE_URL: .*ECONNREFUSED 127.0.0.1:1/);
});
