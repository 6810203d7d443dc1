-- One sequence for all records, so that a fencing token never repeats, also
-- after a record is released and its key is claimed anew.
CREATE SEQUENCE idempotency_fencing_tokens AS bigint;

-- One row per scoped key. The primary key is the guarantee that one scope has
-- one owner; everything else here is bookkeeping.
CREATE TABLE idempotency_records (
  tenant              text        NOT NULL,
  scope_hash          bytea       NOT NULL,
  -- NULL in a tombstone.
  operation           text,
  idempotency_key     text,
  state               text        NOT NULL
    CHECK (state IN ('executing', 'held', 'completed', 'expired')),
  fingerprint_version smallint    NOT NULL,
  fingerprint         bytea       NOT NULL,
  raw_hash            bytea       NOT NULL,
  fencing_token       bigint      NOT NULL,
  claim_id            uuid        NOT NULL,
  attempts            integer     NOT NULL,
  on_lost_owner       text        NOT NULL CHECK (on_lost_owner IN ('hold', 'rerun')),
  -- The owner's, by this database's clock.
  lease_until         timestamptz NOT NULL,
  create_time         timestamptz NOT NULL DEFAULT clock_timestamp(),
  claim_time          timestamptz NOT NULL DEFAULT clock_timestamp(),
  complete_time       timestamptz,
  expire_time         timestamptz,
  -- Kept until completion, so that another attempt can repeat the call.
  request             bytea,
  -- An encoded payonce.idempotency.v1.StoredOutcome.
  outcome             bytea,
  unknown_reason      text,
  PRIMARY KEY (tenant, scope_hash),
  CHECK (state <> 'executing' OR request IS NOT NULL),
  CHECK ((state = 'completed') = (outcome IS NOT NULL)),
  CHECK ((state = 'expired') = (idempotency_key IS NULL))
);
-- What recovery, the reaper and the list of parked keys look for.
CREATE INDEX idempotency_records_lease ON idempotency_records (lease_until)
  WHERE state = 'executing';
CREATE INDEX idempotency_records_expiry ON idempotency_records (expire_time)
  WHERE state = 'completed';
CREATE INDEX idempotency_records_newest ON idempotency_records (tenant, create_time, scope_hash);

-- What happened to a record besides its first claim and its completion.
CREATE TABLE idempotency_events (
  tenant        text        NOT NULL,
  id            bigint      GENERATED ALWAYS AS IDENTITY,
  scope_hash    bytea       NOT NULL,
  event_time    timestamptz NOT NULL DEFAULT clock_timestamp(),
  type          text        NOT NULL CHECK (type IN ('taken_over', 'outcome_unknown', 'resolved')),
  fencing_token bigint      NOT NULL,
  detail        text        NOT NULL,
  PRIMARY KEY (tenant, id)
);
CREATE INDEX idempotency_events_scope ON idempotency_events (tenant, scope_hash, id);
