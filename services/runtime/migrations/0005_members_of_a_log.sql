-- Who reads another log takes no share of this one: while an installation moves to Kafka, consumers stand in both.
DELETE FROM state.members;
ALTER TABLE state.members
    DROP CONSTRAINT members_pkey,
    ADD COLUMN log_id uuid NOT NULL,
    ADD PRIMARY KEY (log_id, consumer_group, member);
