export type { Migration } from "../../runtime/migrations.js";
export type { Statement } from "../../runtime/statements.js";
export { inTransaction } from "../../runtime/transaction.js";
export type { Beginning, FirstWork, FirstWorkTables } from "./claims.js";
export { assertDurable, type DatabaseOptions, openDatabase } from "./database.js";
export { type Deployment, readDeployment, startNewGeneration } from "./deployment.js";
export { endImpossibleLeases } from "./impossible-leases.js";
export { type MigrateOptions, migrate, pendingMigrations } from "./migrate.js";
export { idempotencyMigrations } from "./migrations.js";
export {
  type Act,
  createOperatorActs,
  type OperatorActs,
  type RecordedAct,
} from "./operator-acts.js";
export { assertSessions } from "./pooler.js";
export { untilReachable } from "./reachable.js";
export { assertNoOtherTables } from "./schema.js";
export { createPostgresStore, type PostgresStore, type PostgresStoreOptions } from "./store.js";
export {
  type DeploymentEvent,
  type DeploymentWatch,
  type WatchOptions,
  watchDeployment,
} from "./watch.js";
