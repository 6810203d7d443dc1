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
