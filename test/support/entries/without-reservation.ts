import { readConfig } from "../../../src/server/config.js";
import { openStoreOfRecord } from "../../../src/server/dependencies.js";
import { createLogger } from "../../../src/server/log.js";
import { createShutdown } from "../../../src/server/shutdown.js";
import { serveWith } from "./serve-with.js";

// A service whose database keeps nothing of what is in flight on a payment, as
// if the columns for it had been dropped.
const config = readConfig();
const shutdown = createShutdown();
const log = createLogger(config.logLevel);
const { records } = (await openStoreOfRecord({ config, log, shutdown })).value;
await records.query(`
  CREATE OR REPLACE FUNCTION reserve_nothing() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    NEW.capturing := 0;
    NEW.refunding := 0;
    NEW.canceling := false;
    RETURN NEW;
  END $$;
  CREATE OR REPLACE TRIGGER reserve_nothing BEFORE UPDATE ON payments
    FOR EACH ROW EXECUTE FUNCTION reserve_nothing()`);
await shutdown.closeAll();
await serveWith({ gate: (record) => record });
