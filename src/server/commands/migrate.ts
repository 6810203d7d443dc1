import { toggle } from "../config/flags.js";
import { readConfig } from "../config.js";
import { command, UsageError } from "./command.js";
import { reportLostConnection } from "./lost-connection.js";

export const migrate = command({
  name: "migrate",
  summary: "brings the database at DATABASE_URL up to date",
  settings: ["databaseUrl", "databaseSchema", "databaseWaitMs"],
  flags: {
    restored: toggle(
      "the database was put back from a snapshot: makes every older copy in Redis void",
    ),
  },
  async run({ restored }, given) {
    const { databaseUrl, databaseSchema: schema, databaseWaitMs } = readConfig({ flags: given });
    if (databaseUrl === undefined) {
      throw new UsageError(
        "DATABASE_URL names the database to migrate; payonce serve migrates a database of its own by itself",
      );
    }
    const { openDatabase, readDeployment, startNewGeneration } = await import(
      "../../stores/postgres/index.js"
    );
    const { prepareDatabase } = await import("../dependencies.js");
    const pool = openDatabase(databaseUrl, reportLostConnection, { schema });
    try {
      const applied = await prepareDatabase(pool, {
        schema,
        waitMs: databaseWaitMs,
        onWait: (reason) => console.error(`DATABASE_URL: waiting: ${reason}`),
      });
      console.log(applied.length === 0 ? "up to date" : `applied ${applied.join(", ")}`);
      const { id, generation } = await (restored ? startNewGeneration : readDeployment)(pool);
      console.log(`deployment ${id}, generation ${generation}`);
      return 0;
    } finally {
      await pool.end();
    }
  },
});
