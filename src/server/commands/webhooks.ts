import { optional, toggle, withDefault } from "../config/flags.js";
import { anyText, count, eventId, oneOf } from "../config/schemas.js";
import { readConfig } from "../config.js";
import { withErrorPrefix } from "../error-prefix.js";
import { command, UsageError } from "./command.js";
import { reportLostConnection } from "./lost-connection.js";

export const webhooks = command({
  name: "webhooks",
  summary: "lists events that endpoints have not got, or has dead letters sent again",
  settings: ["databaseUrl", "databaseSchema"],
  flags: {
    state: optional("both", {
      meaning: "lists only what is tried again (pending), or was given up (dead)",
      schema: oneOf(["pending", "dead"]),
    }),
    tenant: optional("all", { meaning: "the tenant of the events", schema: anyText }),
    endpoint: optional("all", {
      meaning: "the endpoint, such as we_0123456789abcdef",
      schema: anyText,
    }),
    event: optional("all", {
      meaning: "the event: its number, or its whole id",
      schema: eventId,
    }),
    limit: withDefault("100", {
      meaning: "how many are listed at most",
      schema: count(1, 100_000),
    }),
    resend: toggle("has the dead letters of --endpoint, or of --event, sent again"),
    json: toggle("prints JSON"),
  },
  notes: `
What is pending is the next event of each payment; those after it wait for it.
Resent events come in the order of their payment; some may come twice.`,
  async run({ state, tenant, endpoint, event, limit, resend, json }, given) {
    const { databaseUrl, databaseSchema: schema } = readConfig({ flags: given });
    if (databaseUrl === undefined) {
      throw new UsageError("DATABASE_URL names the database of the events");
    }
    if (resend && endpoint === undefined && event === undefined) {
      throw new UsageError("--resend is accepted only with --endpoint or --event");
    }
    if (resend && state === "pending") {
      throw new UsageError("--resend sends dead letters: it accepts no --state pending");
    }
    const filter = { tenant, endpointId: endpoint, eventId: event };
    const { openDatabase } = await import("../../stores/postgres/index.js");
    const { listLetters, resendLetters } = await import(
      "../../payments/postgres/webhook-letters.js"
    );
    const { lettersText } = await import("./webhooks-text.js");
    const pool = openDatabase(databaseUrl, reportLostConnection, { plans: "any", schema });
    try {
      return await withErrorPrefix("DATABASE_URL", async () => {
        if (resend) {
          const resent = await resendLetters(pool, filter);
          console.log(json ? JSON.stringify({ resent }) : `${resent} sent again`);
        } else {
          const letters = await listLetters(pool, { ...filter, state, limit });
          console.log(json ? JSON.stringify(letters, null, 2) : lettersText(letters, limit));
        }
        return 0;
      });
    } finally {
      await pool.end();
    }
  },
});
