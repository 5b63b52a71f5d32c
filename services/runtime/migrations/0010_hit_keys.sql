-- The keys of one visitor's hits lie side by side: a batch looks into few pages of them, however long the history is.

-- Of `hits`: the visitor's number, then 24 bits of the event_id's hash. Readers compare both once more.
CREATE FUNCTION state.hit_key(visitor bigint, event_id text) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (visitor << 24) | (hashtext(event_id) & 16777215);

DROP INDEX state.hits_by_event;
CREATE UNIQUE INDEX hits_by_event ON state.hits (state.hit_key(visitor, event_id), rank);

-- The views of 0009, by the new key.
CREATE OR REPLACE VIEW state.counted AS
    SELECT * FROM state.hits h
    WHERE NOT EXISTS (
        SELECT FROM (SELECT r.occurred_at, r.rank FROM state.hits r
                     WHERE state.hit_key(r.visitor, r.event_id) = state.hit_key(h.visitor, h.event_id)
                        AND r.visitor IS NOT DISTINCT FROM h.visitor AND r.event_id = h.event_id OFFSET 0) w
        WHERE (w.occurred_at, w.rank) < (h.occurred_at, h.rank));

CREATE OR REPLACE VIEW state.statement AS
    SELECT * FROM state.statements s
    WHERE NOT EXISTS (
            SELECT FROM state.statements w WHERE w.scope = s.scope AND w.event_id = s.event_id
                AND (w.occurred_at, w.rank) < (s.occurred_at, s.rank))
        AND NOT EXISTS (
            SELECT FROM (SELECT r.occurred_at, r.rank FROM state.visitors v
                         JOIN state.hits r ON state.hit_key(r.visitor, r.event_id) = state.hit_key(v.number, s.event_id)
                            AND r.visitor IS NOT DISTINCT FROM v.number AND r.event_id = s.event_id
                         WHERE v.visitor_id = s.visitor_id OFFSET 0) w
            WHERE (w.occurred_at, w.rank) < (s.occurred_at, s.rank));
