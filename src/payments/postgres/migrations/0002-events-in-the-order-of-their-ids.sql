-- Two transactions may write one payment in another order than they began in,
-- so the number of a transaction orders nothing. Ids do: see events.ts.
ALTER TABLE payment_events DROP COLUMN written_by;
