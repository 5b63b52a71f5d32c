-- Faults: letters know how often they were tried, and a note that fails waits while the others flow.

-- 1 is the consumer's own try; each `closedloop deadletters retry` is one more.
ALTER TABLE state.dead_letters ADD COLUMN tries integer NOT NULL DEFAULT 1;

-- How often a note has failed alone, and before when it is not tried again.
ALTER TABLE state.notes
    ADD COLUMN failures integer NOT NULL DEFAULT 0,
    ADD COLUMN due_at timestamptz NOT NULL DEFAULT '-infinity';
CREATE INDEX notes_failing ON state.notes (consumer_group) WHERE failures > 0;
