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
