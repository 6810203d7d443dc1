import { randomBytes } from "node:crypto";
import pg from "pg";
import type { InvariantId } from "../../../src/audit/check.js";
import { type OperationKind, operationIdOf, paymentIdOf } from "../../../src/payments/operation.js";
import { scopeOf } from "./resolved-day.js";

export interface DatabaseCopy {
  readonly url: string;
  /** Runs a statement with all triggers off, foreign keys among them, and says how many rows it hit. */
  damage(statement: string): Promise<number>;
  drop(): Promise<void>;
}

/** Copies a database that nobody is connected to. */
export async function copyDatabase(url: string): Promise<DatabaseCopy> {
  const name = `test_${randomBytes(8).toString("hex")}`;
  const copy = new URL(url);
  copy.pathname = name;
  const server = new URL(url);
  server.pathname = "postgres";
  await run(server.href, `CREATE DATABASE ${name} TEMPLATE ${new URL(url).pathname.slice(1)}`);
  return {
    url: copy.href,
    damage: (statement) => run(copy.href, "SET session_replication_role = replica", statement),
    async drop() {
      await run(server.href, `DROP DATABASE ${name} WITH (FORCE)`);
    },
  };
}

/** Runs statements on one connection, and says how many rows the last one hit. */
async function run(url: string, ...statements: readonly string[]): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    let rows = 0;
    for (const statement of statements) {
      rows = (await client.query(statement)).rowCount ?? 0;
    }
    return rows;
  } finally {
    await client.end();
  }
}

const onePayment = (condition: string) => `id = (SELECT min(id) FROM payments WHERE ${condition})`;
const oneOperation = (condition: string) =>
  `id = (SELECT min(id) FROM operations WHERE ${condition})`;
const ofKey = (key: string) => `idempotency_key = '${key}'`;

/** What a hand may do to the tables, and an invariant that must speak of it. */
export const damages: readonly (readonly [InvariantId, string, string])[] = [
  [
    "I1",
    "an operation was deleted",
    `DELETE FROM operations WHERE ${oneOperation("state = 'approved' AND kind = 'create'")}`,
  ],
  [
    "I1",
    "an operation's amount was changed",
    `UPDATE operations SET minor_units = minor_units + 1
     WHERE ${oneOperation("state = 'approved' AND kind = 'capture'")}`,
  ],
  [
    "I2",
    "an operation's processor key was changed",
    `UPDATE operations SET processor_key = 'pk_other' WHERE ${oneOperation("state = 'declined'")}`,
  ],
  [
    "I3",
    "a payment reserves what nobody captures",
    `UPDATE payments SET capturing = 1 WHERE ${onePayment("status = 'AUTHORIZED'")}`,
  ],
  [
    "I4",
    "a payment's captured amount was changed",
    `UPDATE payments SET captured = captured - 1
     WHERE ${onePayment("status = 'CAPTURED' AND refunded = 500")}`,
  ],
  [
    "I4",
    "a ledger entry was added",
    `INSERT INTO ledger_entries (tenant, transaction_id, payment_id, account, currency_code, minor_units)
     SELECT tenant, id, payment_id, 'merchant_payable', currency_code, 5
     FROM operations WHERE ${oneOperation("kind = 'cancel'")}`,
  ],
  [
    "I4",
    "a ledger entry was changed",
    "UPDATE ledger_entries SET minor_units = minor_units + 1 WHERE id = 1",
  ],
  [
    "I5",
    "an answer was replaced by another key's",
    `UPDATE idempotency_records AS record SET outcome = other.outcome
     FROM idempotency_records AS other
     WHERE record.${ofKey("storm-0")} AND other.${ofKey("storm-1")}`,
  ],
  ["I5", "a record was deleted", `DELETE FROM idempotency_records WHERE ${ofKey("storm-0")}`],
  [
    "I6",
    "a payment was deleted with all that belongs to it",
    `WITH payment AS (
       DELETE FROM payments WHERE ${onePayment("status = 'AUTHORIZED'")} RETURNING tenant, id
     ), event AS (
       DELETE FROM payment_events AS row USING payment
       WHERE row.tenant = payment.tenant AND row.payment_id = payment.id
     )
     DELETE FROM operations AS row USING payment
     WHERE row.tenant = payment.tenant AND row.payment_id = payment.id`,
  ],
  [
    "I7",
    "a claim holds another request than its own",
    `UPDATE idempotency_records SET state = 'executing', outcome = NULL, request = '\\x1a0161'
     WHERE ${ofKey("storm-0")}`,
  ],
  [
    "I9",
    "a payment's status was changed",
    `UPDATE payments SET status = 'AUTHORIZED' WHERE ${onePayment("status = 'CANCELED'")}`,
  ],
  [
    "I10",
    "the answer that clients were given again was changed",
    `UPDATE idempotency_records AS record SET outcome = other.outcome
     FROM idempotency_records AS other
     WHERE record.${ofKey("storm-2-too-late")} AND other.${ofKey("storm-2-cancel")}`,
  ],
  [
    "I11",
    "an operation forgot its end",
    `UPDATE operations SET state = 'unknown', finish_time = NULL
     WHERE ${oneOperation("state = 'approved' AND kind = 'create'")}`,
  ],
  [
    "I13",
    "an event was deleted",
    `DELETE FROM payment_events WHERE version = 1 AND payment_id =
       (SELECT min(id) FROM payments WHERE status = 'CAPTURED')`,
  ],
  [
    "I13",
    "an event was changed",
    `UPDATE payment_events AS event SET payment = other.payment FROM payment_events AS other
     WHERE event.id = (SELECT min(id) FROM payment_events) AND other.id =
       (SELECT max(id) FROM payment_events)`,
  ],
  ["I13", "a sequence was left behind", "SELECT setval('payment_events_id_seq', 1)"],
  ["I13", "the fencing tokens were left behind", "SELECT setval('idempotency_fencing_tokens', 1)"],
  [
    "I14",
    "a record was given to another tenant",
    `UPDATE idempotency_records SET tenant = 'globex' WHERE ${ofKey("storm-0")}`,
  ],
  [
    "I15",
    "a claim was left behind",
    `UPDATE idempotency_records SET state = 'executing', outcome = NULL, request = '',
       lease_until = lease_until - interval '1 hour'
     WHERE ${ofKey("storm-0")}`,
  ],
];

const operation = (kind: OperationKind, key: string) =>
  `id = '${operationIdOf(scopeOf(kind, key))}'`;
const payment = (key: string) => `id = '${paymentIdOf(scopeOf("create", key))}'`;

/** An operation that has ended is begun again, long before the processor's window. */
const begunLongAgo = (kind: OperationKind, key: string) =>
  `UPDATE operations
   SET state = 'unknown', finish_time = NULL, begin_time = begin_time - interval '2 days'
   WHERE ${operation(kind, key)}`;

/** States that no invariant alone shows, with what the audit says of them. */
export const brokenStates: readonly (readonly [string, string, string])[] = [
  [
    "I7: operation \\S+ of default began for another request than its key's record keeps",
    "an operation's request was changed",
    `UPDATE operations SET fingerprint = '\\x00', raw_hash = '\\x00'
     WHERE ${operation("create", "storm-0")}`,
  ],
  [
    "I7: operation \\S+ of default began for a request that no record of its tenant keeps",
    "a tombstone's request was changed",
    `UPDATE idempotency_records
     SET state = 'expired', operation = NULL, idempotency_key = NULL, outcome = NULL,
       fingerprint = '\\x00', raw_hash = '\\x00'
     WHERE ${ofKey("storm-0")}`,
  ],
  [
    "I3: payment \\S+ of default reserves 500 for captures in flight of 0",
    "what a capture that was not executed had reserved is reserved again",
    `UPDATE payments SET capturing = 500 WHERE ${payment("retried")}`,
  ],
  [
    "I3: operation \\S+ of default reserves for a refund that is unknown, and its key is completed",
    "a refund whose key has its answer was begun again",
    `WITH payment AS (
       UPDATE payments SET refunded = 0, refunding = 500 WHERE ${payment("storm-0")}
     )
     UPDATE operations SET state = 'unknown', finish_time = NULL
     WHERE ${operation("refund", "storm-0-refund")}`,
  ],
  [
    "I15: operation \\S+ of default is unknown since .*, and its key is gone: nobody can end it",
    "an operation of long ago is begun, and its key was deleted",
    `WITH record AS (DELETE FROM idempotency_records WHERE ${ofKey("storm-3")})
     ${begunLongAgo("create", "storm-3")}`,
  ],
  [
    "I15: operation \\S+ of default is unknown since .*, and its key is held without a request",
    "an operation of long ago is begun, and its key has no request to end it with",
    `WITH record AS (
       UPDATE idempotency_records
       SET state = 'held', outcome = NULL, request = NULL, unknown_reason = 'a hand'
       WHERE ${ofKey("storm-3")}
     )
     ${begunLongAgo("create", "storm-3")}`,
  ],
  [
    'I15: key "storm-0" of default .* is held without a reason',
    "a key was parked without a reason",
    `UPDATE idempotency_records SET state = 'held', outcome = NULL, request = ''
     WHERE ${ofKey("storm-0")}`,
  ],
  [
    'I15: key "storm-0" of default .* is executing in attempt 201, of at most 200',
    "a key was executed too often",
    `UPDATE idempotency_records
     SET state = 'executing', outcome = NULL, request = '', attempts = 201,
       lease_until = now() + interval '1 minute'
     WHERE ${ofKey("storm-0")}`,
  ],
  [
    "I11: operation \\S+ of default is unknown, and its key is released",
    "a key was set free while its operation is begun",
    `WITH record AS (
       UPDATE idempotency_records SET state = 'released', outcome = NULL WHERE ${ofKey("storm-3")}
     )
     UPDATE operations SET state = 'unknown', finish_time = NULL
     WHERE ${operation("create", "storm-3")}`,
  ],
  [
    "I11: operation \\S+ of default was not executed, and the payment .* is UNKNOWN",
    "a payment that was not created is unknown again",
    `UPDATE payments SET status = 'UNKNOWN', decline_code = '' WHERE ${payment("given-up")}`,
  ],
  [
    "I11: payment \\S+ of default is DECLINED \\(not_executed\\), and .* is declined",
    "a payment that the processor declined was declined as not executed",
    `UPDATE payments SET decline_code = 'not_executed' WHERE ${payment("storm-4")}`,
  ],
  [
    "I9: payment \\S+ of default went from DECLINED \\(other_reason\\) .* to PROCESSING",
    "a payment that began again had been declined by the processor",
    `UPDATE payment_events SET payment = decode(replace(encode(payment, 'hex'),
       encode('not_executed', 'hex'), encode('other_reason', 'hex')), 'hex')
     WHERE payment_id = (SELECT id FROM payments WHERE ${payment("retried")})`,
  ],
  [
    "I11: payment \\S+ of default is AUTHORIZED, and the operation that creates it is pending",
    "a payment that was created is being created",
    `UPDATE operations SET state = 'pending', finish_time = NULL
     WHERE ${operation("create", "storm-3")}`,
  ],
  [
    "I6: effect \\S+ on payment \\S+ has an operation that was ended as not executed",
    "an operation that the processor did was ended as not executed",
    `UPDATE operations SET state = 'not_executed', decline_code = 'not_executed'
     WHERE ${operation("create", "storm-3")}`,
  ],
];
