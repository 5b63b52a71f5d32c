-- Hits and visits take less: a number stands for their visitor, fixed widths come first, and the keys of hits are hashes.
-- Both tables are written anew, in some twenty seconds for a million hits.

ALTER TABLE state.visitors ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY;
ALTER TABLE state.visitors ADD CONSTRAINT visitors_by_number UNIQUE (number);

DROP VIEW state.touch, state.visit, state.hit, state.said, state.offline_touch, state.carried, state.parted, state.apart,
    state.statement;
ALTER TABLE state.hits RENAME TO former_hits;
ALTER TABLE state.visits RENAME TO former_visits;

-- Every record of every hit, and of the visitor's other events, which share its event ids. Of those with one event_id the
-- least (occurred_at, rank) counts; readers leave out the rest, see the view `counted`.
CREATE TABLE state.hits (
    occurred_at timestamptz NOT NULL,
    visitor bigint NOT NULL,                 -- its number
    rank uuid NOT NULL,
    internal boolean NOT NULL,               -- the referrer is the site's own
    only_referrer boolean NOT NULL,          -- the source stands in the referrer alone
    event_id text COLLATE "C" NOT NULL,
    type text COLLATE "C" NOT NULL,
    url text COLLATE "C",
    referrer text COLLATE "C",
    title text COLLATE "C",
    name text COLLATE "C",
    channel text COLLATE "C",                -- the source that the hit brings; null when it brings none
    source text COLLATE "C",
    medium text COLLATE "C",
    campaign text COLLATE "C",
    content text COLLATE "C",
    term text COLLATE "C",
    click_ids jsonb,                         -- pairs of name and value
    identifiers uuid[],                      -- the first that is not shared names the lead
    kept_apart text COLLATE "C"              -- why it is nobody's, a bot's say: it makes no visit, yet its event_id is taken
);

CREATE TABLE state.visits (
    started_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,            -- the last hit
    visitor bigint NOT NULL,                 -- its number
    hits integer NOT NULL,
    identified uuid,                         -- the identifier that named somebody in this visit
    owner uuid,                              -- whose visit it is, as an identifier; the lead is looked up
    touch_id text COLLATE "C" NOT NULL,      -- the event_id of the first hit
    channel text COLLATE "C" NOT NULL,
    source text COLLATE "C" NOT NULL,
    medium text COLLATE "C" NOT NULL,
    campaign text COLLATE "C",
    content text COLLATE "C",
    term text COLLATE "C",
    running jsonb,                           -- the source that new ones are compared with, where it is another: a cut visit's
    landing_page text COLLATE "C",           -- the first url; a visit without one is no touch
    referrer text COLLATE "C",               -- of the first hit
    click_ids jsonb
) WITH (fillfactor = 70);                    -- a visit is written once more for each batch that goes on with it

INSERT INTO state.hits
SELECT occurred_at, number, rank, internal, only_referrer, event_id, type, url, referrer, title, name, channel, source, medium,
       campaign, content, term, click_ids, identifiers, kept_apart
FROM state.former_hits JOIN state.visitors USING (visitor_id);
INSERT INTO state.visits
SELECT started_at, last_at, number, hits, identified, owner, touch_id, channel, source, medium, campaign, content, term, running,
       landing_page, referrer, click_ids
FROM state.former_visits JOIN state.visitors USING (visitor_id);
DROP TABLE state.former_hits, state.former_visits;

-- The key of hits is an eight-byte hash of visitor and event_id: readers compare both once more. Of one event_id equal ranks are
-- equal records, since the rank covers all of it.
CREATE UNIQUE INDEX hits_by_event ON state.hits (hashtextextended(event_id, visitor), rank);
CREATE INDEX hits_in_order ON state.hits (visitor, occurred_at);
CREATE INDEX hits_apart ON state.hits (occurred_at) WHERE kept_apart IS NOT NULL;
ALTER TABLE state.visits ADD PRIMARY KEY (visitor, started_at, touch_id);
CREATE INDEX visits_by_owner ON state.visits (owner, started_at) WHERE owner IS NOT NULL;
CREATE INDEX visits_identified ON state.visits (visitor, started_at, touch_id) WHERE identified IS NOT NULL;
CREATE INDEX visits_by_time ON state.visits (started_at) WHERE landing_page IS NOT NULL;
ANALYZE state.hits, state.visits, state.visitors;

-- Within identity: the records of hits that count, a bot's among them. OFFSET keeps the inner query on their key, whatever the
-- planner believes of a visitor: by time it would read all that the visitor ever did, for each record.
CREATE VIEW state.counted AS
    SELECT * FROM state.hits h
    WHERE NOT EXISTS (
        SELECT FROM (SELECT r.occurred_at, r.rank FROM state.hits r
                     WHERE hashtextextended(r.event_id, r.visitor) = hashtextextended(h.event_id, h.visitor)
                        AND r.visitor IS NOT DISTINCT FROM h.visitor AND r.event_id = h.event_id OFFSET 0) w
        WHERE (w.occurred_at, w.rank) < (h.occurred_at, h.rank));

-- Within identity: the statements that count, of one event_id the least (occurred_at, rank), the visitor's hits among them.
CREATE VIEW state.statement AS
    SELECT * FROM state.statements s
    WHERE NOT EXISTS (
            SELECT FROM state.statements w WHERE w.scope = s.scope AND w.event_id = s.event_id
                AND (w.occurred_at, w.rank) < (s.occurred_at, s.rank))
        AND NOT EXISTS (
            SELECT FROM (SELECT r.occurred_at, r.rank FROM state.visitors v
                         JOIN state.hits r ON hashtextextended(r.event_id, r.visitor) = hashtextextended(s.event_id, v.number)
                            AND r.visitor IS NOT DISTINCT FROM v.number AND r.event_id = s.event_id
                         WHERE v.visitor_id = s.visitor_id OFFSET 0) w
            WHERE (w.occurred_at, w.rank) < (s.occurred_at, s.rank));

-- What can be credited: visits with a page, and offline touches, whose visitor is '' when they name none.
CREATE VIEW state.touch AS
    SELECT visitor_id, touch_id, started_at AS occurred_at, last_at, hits, channel, source, medium, campaign, content, term,
           landing_page, referrer, click_ids, owner
    FROM state.visits LEFT JOIN state.visitors ON number = visitor WHERE landing_page IS NOT NULL
    UNION ALL
    SELECT coalesce(visitor_id, ''), touch_id, occurred_at, occurred_at, 0, channel, source, medium, campaign, NULL, NULL,
           NULL, NULL, NULL, owner
    FROM state.offline_touches;

-- In these two `visitor` is for joining them: a reader who names `visitor_id` alone has every hit of the visitor sorted.

-- Every visit, also one without a page, and by which rule it is its owner's: somebody was identified in it, in the last
-- earlier visit that identified one, or in the first later one.
CREATE VIEW state.visit AS
    SELECT visitor_id, touch_id, started_at AS occurred_at, last_at, hits, channel, source, medium, campaign, content, term,
           landing_page, referrer, click_ids, owner, visitor,
           CASE WHEN v.owner IS NULL THEN NULL WHEN v.identified IS NOT NULL THEN 'identified'
                WHEN EXISTS (SELECT FROM state.visits e WHERE e.visitor = v.visitor AND e.identified IS NOT NULL
                    AND (e.started_at, e.touch_id) < (v.started_at, v.touch_id)) THEN 'earlier'
                ELSE 'later' END AS owned_by
    FROM state.visits v LEFT JOIN state.visitors ON number = visitor;

-- The hits that count, of people.
CREATE VIEW state.hit AS
    SELECT visitor_id, event_id, occurred_at, type, url, title, name, visitor
    FROM state.counted LEFT JOIN state.visitors ON number = visitor
    WHERE type IN ('pageview', 'form', 'identify', 'click', 'download', 'video', 'custom') AND kept_apart IS NULL;

-- Who was kept apart, and why.
CREATE VIEW state.apart AS
    SELECT visitor_id, event_id, occurred_at, type, kept_apart
    FROM state.counted LEFT JOIN state.visitors ON number = visitor WHERE kept_apart IS NOT NULL;

-- What people said or did, of the statements that count, and the identifier that names who: the first that is not shared.
CREATE VIEW state.said AS
    SELECT s.scope, s.event_id, s.occurred_at, s.rank, s.type, s.visitor_id, s.name, s.person, s.identifiers,
           (SELECT i.id FROM unnest(s.identifiers) WITH ORDINALITY AS carried (id, place) JOIN state.identifiers i USING (id)
            WHERE NOT i.shared ORDER BY carried.place LIMIT 1) AS named
    FROM state.statement s
    WHERE s.type IN ('pageview', 'form', 'identify', 'click', 'download', 'video', 'custom', 'email_open');

-- The offline touches, and by which rule each is its owner's: it names somebody, or the visitor's last visit at or before
-- it or the first after it has that owner.
CREATE VIEW state.offline_touch AS
    SELECT t.scope, t.touch_id, t.occurred_at, t.visitor_id, t.name, t.channel, t.source, t.medium, t.campaign, t.owner,
           CASE WHEN t.owner IS NULL THEN NULL
                WHEN EXISTS (SELECT FROM state.statement s JOIN state.identifiers i ON i.id = ANY (s.identifiers)
                    WHERE s.scope = t.scope AND s.event_id = t.touch_id AND NOT i.shared) THEN 'named'
                WHEN EXISTS (SELECT FROM state.visitors o JOIN state.visits v ON v.visitor = o.number
                    WHERE o.visitor_id = t.visitor_id AND v.started_at <= t.occurred_at) THEN 'earlier'
                ELSE 'later' END AS owned_by
    FROM state.offline_touches t;

-- Every record that carries an identifier, also one whose event_id another has taken: what it joins is joined.
CREATE VIEW state.carried AS
    SELECT c.identifier, h.type, h.event_id, h.occurred_at, c.visitor_id, h.identifiers
    FROM state.carriers c
    JOIN state.visitors v USING (visitor_id)
    JOIN state.hits h ON h.visitor = v.number AND c.identifier = ANY (h.identifiers)
    UNION ALL
    SELECT i.id, s.type, s.event_id, s.occurred_at, s.visitor_id, s.identifiers
    FROM state.identifiers i JOIN state.statements s ON s.identifiers @> ARRAY[i.id];

-- The pairs that are held apart, carried together or not, and the event that says so last.
CREATE VIEW state.parted AS
    SELECT c.a, c.b, said.event_id, said.occurred_at
    FROM state.cuts c
    JOIN LATERAL (SELECT s.event_id, s.occurred_at FROM state.statement s WHERE (s.a, s.b) = (c.a, c.b)
                  ORDER BY s.occurred_at DESC, s.event_id DESC, s.rank DESC LIMIT 1) AS said ON true;
