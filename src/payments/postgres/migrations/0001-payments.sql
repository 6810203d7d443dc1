-- Every primary key begins with the tenant, and no foreign key leaves it, so
-- that the tables can be distributed by tenant. Amounts are minor units. Times
-- are the database's.

CREATE TABLE payments (
  tenant             text NOT NULL,
  -- Derived from the call that created it.
  id                 text NOT NULL,
  -- Lists are ordered by it: unlike a time it is never the same twice.
  sequence           bigint NOT NULL GENERATED ALWAYS AS IDENTITY,

  -- What was asked for.
  currency_code      text NOT NULL,
  amount             bigint NOT NULL CHECK (amount > 0),
  payment_method     text NOT NULL,
  capture_method     text NOT NULL CHECK (capture_method IN ('AUTOMATIC', 'MANUAL')),
  merchant_reference text NOT NULL,
  description        text NOT NULL,
  metadata           jsonb NOT NULL,

  -- What became of it, and what operations in flight have reserved.
  status             text NOT NULL CHECK (status IN ('PROCESSING', 'AUTHORIZED',
                       'PARTIALLY_CAPTURED', 'CAPTURED', 'DECLINED', 'CANCELED', 'UNKNOWN')),
  version            bigint NOT NULL CHECK (version > 0),
  authorized         bigint NOT NULL,
  captured           bigint NOT NULL,
  capturing          bigint NOT NULL,
  refunded           bigint NOT NULL,
  refunding          bigint NOT NULL,
  canceling          boolean NOT NULL,
  decline_code       text NOT NULL,
  create_time         timestamptz NOT NULL DEFAULT statement_timestamp(),
  update_time         timestamptz NOT NULL DEFAULT statement_timestamp(),

  PRIMARY KEY (tenant, id),
  CHECK (authorized BETWEEN 0 AND amount),
  CHECK (captured >= 0 AND capturing >= 0 AND captured + capturing <= authorized),
  CHECK (refunded >= 0 AND refunding >= 0 AND refunded + refunding <= captured),
  CHECK (NOT canceling OR captured + capturing = 0)
);
CREATE UNIQUE INDEX ON payments (tenant, sequence);
CREATE INDEX ON payments (tenant, merchant_reference, sequence) WHERE merchant_reference <> '';

-- One row per call that began, kept for good: its id and its processor key
-- stand for one (tenant, operation, key) and are never used again.
CREATE TABLE operations (
  tenant        text NOT NULL,
  id            text NOT NULL,
  processor_key text NOT NULL,
  payment_id    text NOT NULL,
  kind          text NOT NULL CHECK (kind IN ('create', 'capture', 'cancel', 'refund')),
  minor_units   bigint NOT NULL CHECK (minor_units > 0),
  currency_code text NOT NULL,
  state         text NOT NULL DEFAULT 'pending'
                  CHECK (state IN ('pending', 'unknown', 'approved', 'declined')),
  decline_code  text NOT NULL DEFAULT '',
  begin_time      timestamptz NOT NULL DEFAULT statement_timestamp(),
  finish_time   timestamptz,

  PRIMARY KEY (tenant, id),
  FOREIGN KEY (tenant, payment_id) REFERENCES payments,
  CHECK ((finish_time IS NOT NULL) = (state IN ('approved', 'declined')))
);

-- Double entry: debits are positive, credits negative.
CREATE TABLE ledger_entries (
  tenant         text NOT NULL,
  id             bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
  -- The operation that booked it.
  transaction_id text NOT NULL,
  payment_id     text NOT NULL,
  account        text NOT NULL CHECK (account IN ('processor_receivable', 'merchant_payable')),
  currency_code  text NOT NULL,
  minor_units    bigint NOT NULL CHECK (minor_units <> 0),
  create_time     timestamptz NOT NULL DEFAULT statement_timestamp(),

  PRIMARY KEY (tenant, id),
  -- An operation books once.
  UNIQUE (tenant, payment_id, transaction_id, account),
  FOREIGN KEY (tenant, transaction_id) REFERENCES operations
);

-- All entries of a transaction are written by one statement, so the check
-- needs to see that statement's rows only: it reads no table, and unlike a
-- deferred check it runs once for a batch of any size.
CREATE FUNCTION ledger_entries_must_balance() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (
    SELECT FROM inserted
    GROUP BY tenant, transaction_id, currency_code
    HAVING sum(minor_units) <> 0
  ) THEN
    RAISE EXCEPTION 'the entries of a transaction must sum to zero in each currency'
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER ledger_entries_balance AFTER INSERT ON ledger_entries
  REFERENCING NEW TABLE AS inserted
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_entries_must_balance();

CREATE FUNCTION ledger_entries_are_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'ledger entries are never changed: % refused', TG_OP
    USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER ledger_entries_final BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entries
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_entries_are_final();

-- The outbox: one row per transition of a payment, written with it.
CREATE TABLE payment_events (
  tenant     text NOT NULL,
  id         bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
  payment_id text NOT NULL,
  version    bigint NOT NULL,
  -- The payment right after the transition, a payonce.payments.v1.Payment.
  payment    bytea NOT NULL,
  -- Ids are taken before their transaction commits. A reader that stops below
  -- pg_snapshot_xmin(pg_current_snapshot()) misses no late commit.
  written_by xid8 NOT NULL DEFAULT pg_current_xact_id(),
  create_time timestamptz NOT NULL DEFAULT statement_timestamp(),

  PRIMARY KEY (tenant, id),
  UNIQUE (tenant, payment_id, version)
);
