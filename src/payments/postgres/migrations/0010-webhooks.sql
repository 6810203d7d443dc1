-- Webhooks. As everywhere, keys begin with the tenant, and times are the
-- database's.

-- How far the events of an endpoint's tenant are in its queues.
CREATE TABLE webhook_endpoints (
  tenant        text NOT NULL,
  -- Derived from the tenant and the URL, which may hold a secret itself.
  id            text NOT NULL,
  -- Scheme, host and port, for people.
  origin        text NOT NULL,
  -- A new endpoint begins after the events that were there when it was added.
  last_event_id bigint NOT NULL,

  PRIMARY KEY (tenant, id)
);

-- One row per payment with events to deliver, which keeps them in order: the
-- next one is sent until it is delivered or given up, and holds back no other
-- payment. Whoever sends it moves its next attempt away first, which is the lease.
CREATE TABLE webhook_queues (
  tenant            text NOT NULL,
  endpoint_id       text NOT NULL,
  payment_id        text NOT NULL,
  event_id          bigint NOT NULL,
  event_time        timestamptz NOT NULL,
  last_event_id     bigint NOT NULL,
  -- All that began. A result counts for its own attempt alone.
  attempts          bigint NOT NULL DEFAULT 0,
  -- Of the next event, one after the other.
  failures          integer NOT NULL DEFAULT 0,
  last_failure      text NOT NULL DEFAULT '',
  next_attempt_time timestamptz NOT NULL DEFAULT statement_timestamp(),

  PRIMARY KEY (tenant, endpoint_id, payment_id),
  FOREIGN KEY (tenant, endpoint_id) REFERENCES webhook_endpoints,
  CHECK (event_id <= last_event_id)
);
-- In "C", so that a look-up by the key has its key alone to choose: see 0004.
CREATE INDEX webhook_queues_due
  ON webhook_queues (tenant COLLATE "C", endpoint_id, next_attempt_time);

-- Events that were given up, until an operator has them sent again.
CREATE TABLE webhook_dead_letters (
  tenant       text NOT NULL,
  endpoint_id  text NOT NULL,
  event_id     bigint NOT NULL,
  payment_id   text NOT NULL,
  failures     integer NOT NULL,
  last_failure text NOT NULL,
  dead_time    timestamptz NOT NULL DEFAULT statement_timestamp(),

  PRIMARY KEY (tenant, endpoint_id, event_id),
  FOREIGN KEY (tenant, endpoint_id) REFERENCES webhook_endpoints
);
