import { openDatabase, readDeployment, startNewGeneration } from "../../stores/postgres/index.js";
import { configFlags, configHelp, readConfig } from "../config.js";
import { prepareDatabase } from "../dependencies.js";
import { type Command, UsageError } from "./command.js";

export const migrate: Command = {
  summary: "brings the database at DATABASE_URL up to date",
  help: () => `${configHelp(["databaseUrl"])}
  --restored    the database was put back from a snapshot: makes every older copy in Redis void`,
  options: { ...configFlags(["databaseUrl"]), restored: { type: "boolean" } },
  async run(flags) {
    const { databaseUrl } = readConfig({ flags });
    if (databaseUrl === undefined) {
      throw new UsageError(
        "DATABASE_URL names the database to migrate; payonce serve migrates a database of its own by itself",
      );
    }
    const pool = openDatabase(databaseUrl, () => {});
    try {
      const applied = await prepareDatabase(pool);
      console.log(applied.length === 0 ? "up to date" : `applied ${applied.join(", ")}`);
      const read = flags.restored === true ? startNewGeneration : readDeployment;
      const { id, generation } = await read(pool);
      console.log(`deployment ${id}, generation ${generation}`);
      return 0;
    } finally {
      await pool.end();
    }
  },
};
