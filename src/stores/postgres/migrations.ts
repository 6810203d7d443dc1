/** One step of the schema, applied once and never changed afterwards. */
export interface Migration {
  readonly name: string;
  readonly sql: string;
}

/** The tables of the store of record. */
export const idempotencyMigrations: readonly Migration[] = [
  {
    name: "idempotency/0001-records",
    sql: `
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
`,
  },
  {
    name: "idempotency/0002-deployment",
    sql: `
-- Names this database towards caches that outlive it. A restore raises the
-- generation, and every copy made before it is a copy of nothing.
CREATE TABLE deployment (
  singleton         boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  id                uuid    NOT NULL DEFAULT gen_random_uuid(),
  generation        integer NOT NULL DEFAULT 1,
  system_identifier text    NOT NULL,
  timeline_id       integer NOT NULL
);
INSERT INTO deployment (system_identifier, timeline_id)
  SELECT s.system_identifier::text, c.timeline_id
  FROM pg_control_system() s, pg_control_checkpoint() c;
`,
  },
  {
    name: "idempotency/0003-generations-that-never-repeat",
    sql: `
-- Two restores of one backup count to the same number, so generations are drawn
-- at random. Builds from before go on counting beside them.
ALTER TABLE deployment
  ADD COLUMN generation_id         uuid NOT NULL DEFAULT gen_random_uuid(),
  -- When the database was last found to be one that may have lost rows.
  ADD COLUMN restore_time          timestamptz,
  -- Where the row was written, beside the two above. NULL until it is first read.
  ADD COLUMN database_oid          oid,
  ADD COLUMN postmaster_start_time timestamptz,
  -- By which transaction. A row that was loaded from a dump has another xmin.
  ADD COLUMN write_xid             xid;
`,
  },
  {
    name: "idempotency/0004-released-keys",
    // A new constraint reads the whole table; NOT VALID leaves that out, and
    // what is there already keeps the old, stricter ones.
    sql: `
ALTER TABLE idempotency_records
  DROP CONSTRAINT idempotency_records_state_check,
  ADD CONSTRAINT idempotency_records_state_check
    CHECK (state IN ('executing', 'held', 'released', 'completed', 'expired')) NOT VALID;
`,
  },
  {
    name: "idempotency/0005-operator-acts",
    sql: `
-- Who has looked at, or ended, whose keys. Written before the act; its result follows.
CREATE TABLE operator_acts (
  id              bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  act_time        timestamptz NOT NULL DEFAULT clock_timestamp(),
  identity        text        NOT NULL,
  role            text        NOT NULL,
  operator_tenant text        NOT NULL,
  peer            text        NOT NULL,
  method          text        NOT NULL,
  tenant          text        NOT NULL,
  operation       text        NOT NULL,
  idempotency_key text        NOT NULL,
  resolution      text        NOT NULL,
  reason          text        NOT NULL,
  result          text
);
CREATE INDEX operator_acts_newest ON operator_acts (tenant, id);
`,
  },
];
