-- Carriers take less, and what a batch adds lies together: a number stands for the visitor, as in hits and visits. The table is
-- written anew, in some fifteen seconds for a million carriers.

DROP VIEW state.carried;
ALTER TABLE state.carriers RENAME TO former_carriers;

-- Which visitors carry an identifier, and when first and last, so that a change of the identifier finds them.
CREATE TABLE state.carriers (
    identifier uuid NOT NULL,
    visitor bigint NOT NULL,                 -- its number
    from_at timestamptz NOT NULL,
    to_at timestamptz NOT NULL
) WITH (fillfactor = 85);
INSERT INTO state.carriers SELECT identifier, number, from_at, to_at FROM state.former_carriers JOIN state.visitors USING (visitor_id);
DROP TABLE state.former_carriers;
ALTER TABLE state.carriers ADD PRIMARY KEY (identifier, visitor);
CREATE INDEX carriers_by_visitor ON state.carriers (visitor, identifier);
ANALYZE state.carriers;

-- As before.
CREATE VIEW state.carried AS
    SELECT c.identifier, h.type, h.event_id, h.occurred_at, v.visitor_id, h.identifiers
    FROM state.carriers c
    JOIN state.visitors v ON v.number = c.visitor
    JOIN state.hits h ON h.visitor = c.visitor AND c.identifier = ANY (h.identifiers)
    UNION ALL
    SELECT i.id, s.type, s.event_id, s.occurred_at, s.visitor_id, s.identifiers
    FROM state.identifiers i JOIN state.statements s ON s.identifiers @> ARRAY[i.id];

-- Each pair is changed once, right after it was added: with room beside it that touches no index.
ALTER TABLE state.pairs SET (fillfactor = 50);
