export { inTransaction } from "../../runtime/transaction.js";
export { assertDurable, type DatabaseOptions, openDatabase } from "./database.js";
export {
  type Deployment,
  readDeployment,
  startNewGeneration,
  watchDeployment,
} from "./deployment.js";
export { migrate, pendingMigrations } from "./migrate.js";
export { idempotencyMigrations, type Migration } from "./migrations.js";
export { createPostgresStore } from "./store.js";
