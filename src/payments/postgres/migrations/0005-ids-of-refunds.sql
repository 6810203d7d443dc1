-- The id under which the caller knows a refund. Like that of the operation it
-- comes from the key, and neither can be had from the other. NULL in other
-- operations, and in what older builds began.
ALTER TABLE operations ADD COLUMN refund_id text;
