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
