import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { createClientLog } from "../invariants/client-log.js";
import { auditServers, violationsIn } from "../support/operators/audit.js";
import { openPayments, paymentOf, untilAnswered } from "../support/payments/payments-client.js";
import { startCluster } from "../support/service/cluster.js";

const WITHOUT_UNIQUE_CLAIM = fileURLToPath(
  new URL("../support/entries/without-unique-claim.ts", import.meta.url),
);

it("the clients' own calls show that a key was executed twice, once the unique claim is switched off", async () => {
  const cluster = await startCluster({ services: 1, redisNodes: 0, entry: WITHOUT_UNIQUE_CLAIM });
  const [target = ""] = cluster.targets();
  const client = openPayments(target);
  try {
    const log = createClientLog();
    const payments = log.on(client);
    for (let call = 0; call < 2; call += 1) {
      await untilAnswered(() => payments.createPayment(paymentOf("tok_visa"), "twice"));
    }
    const violations = violationsIn(await auditServers(cluster, { calls: log.calls }));
    expect(violations).toContainEqual(
      expect.stringMatching(/^I12: key "twice" of default for .* was executed 2 times$/),
    );
  } finally {
    client.close();
    await cluster.stop();
  }
});
