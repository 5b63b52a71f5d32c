-- Hits take less: of one event_id equal ranks are equal records, since the rank covers the time, and equal times are so rare that
-- their order by event_id needs no index.
ALTER TABLE state.hits DROP CONSTRAINT hits_pkey, ADD PRIMARY KEY (visitor_id, event_id, rank);
DROP INDEX state.hits_in_order;
CREATE INDEX hits_in_order ON state.hits (visitor_id, occurred_at);
