-- People at any order: what events say beyond hits, pairs held apart, touches that no visit is, and records kept apart.

-- Why a record is kept apart from people's, a bot's say; null for a person's. It makes no visit and names nobody, yet its
-- event_id is taken.
ALTER TABLE state.hits ADD COLUMN kept_apart text COLLATE "C";
CREATE INDEX hits_apart ON state.hits (occurred_at) WHERE kept_apart IS NOT NULL;

-- Hits take less: of one event_id equal ranks are equal records, since the rank covers the time, and equal times are so rare that
-- their order by event_id needs no index.
ALTER TABLE state.hits DROP CONSTRAINT hits_pkey, ADD PRIMARY KEY (visitor_id, event_id, rank);
DROP INDEX state.hits_in_order;
CREATE INDEX hits_in_order ON state.hits (visitor_id, occurred_at);

-- When a visitor carried an identifier first and last: a lead that another joins concerns no other visits.
ALTER TABLE state.carriers ADD COLUMN from_at timestamptz, ADD COLUMN to_at timestamptz;
UPDATE state.carriers SET from_at = '-infinity', to_at = 'infinity';
ALTER TABLE state.carriers ALTER from_at SET NOT NULL, ALTER to_at SET NOT NULL, SET (fillfactor = 85);

-- Folds that wait for others of their visitor.
CREATE INDEX notes_waiting ON state.notes (key) WHERE due_at > '-infinity';

-- Facts: every record of what is said of people beyond hits: offline touches, cuts, forms and calls that name somebody, and
-- all that shares their event ids. Records with a visitor_id share those of the visitor's hits as well.
CREATE TABLE state.statements (
    scope uuid NOT NULL,                     -- within what the event_id is unique, by its keyed id
    event_id text COLLATE "C" NOT NULL,
    occurred_at timestamptz NOT NULL,
    rank uuid NOT NULL,
    type text COLLATE "C" NOT NULL,
    visitor_id text COLLATE "C",
    identifiers uuid[],                      -- the first that is not shared names the lead
    a uuid,                                  -- of an unlink: the pair, the lesser id first
    b uuid,
    undo boolean NOT NULL DEFAULT false,
    name text COLLATE "C",
    channel text COLLATE "C",                -- of an offline touch
    source text COLLATE "C",
    medium text COLLATE "C",
    campaign text COLLATE "C",
    person jsonb,                            -- personal: the traits and form fields as they were sent
    PRIMARY KEY (scope, event_id, occurred_at, rank)
);
CREATE INDEX statements_by_identifier ON state.statements USING gin (identifiers) WITH (fastupdate = off);
CREATE INDEX statements_by_pair ON state.statements (a, b) WHERE a IS NOT NULL;
CREATE INDEX statements_by_visitor ON state.statements (visitor_id, event_id)
    WHERE visitor_id IS NOT NULL AND type IN ('touch', 'unlink');

-- The statements that count: of one event_id the least (occurred_at, rank). OFFSET keeps the inner query on the key of hits,
-- whatever the planner believes of a visitor: by time it would read all that the visitor ever did, for each hit.
CREATE VIEW state.statement AS
    SELECT * FROM state.statements s
    WHERE NOT EXISTS (
            SELECT FROM state.statements w WHERE w.scope = s.scope AND w.event_id = s.event_id
                AND (w.occurred_at, w.rank) < (s.occurred_at, s.rank))
        AND NOT EXISTS (
            SELECT FROM (SELECT r.occurred_at, r.rank FROM state.hits r
                         WHERE r.visitor_id = s.visitor_id AND r.event_id = s.event_id OFFSET 0) w
            WHERE (w.occurred_at, w.rank) < (s.occurred_at, s.rank));

-- Derived: the pairs that an unlink holds apart now.
CREATE TABLE state.cuts (a uuid NOT NULL, b uuid NOT NULL, PRIMARY KEY (a, b), CHECK (a < b));

-- Derived: the offline touches that count, and whose they are.
CREATE TABLE state.offline_touches (
    scope uuid NOT NULL,
    touch_id text COLLATE "C" NOT NULL,      -- the event_id
    occurred_at timestamptz NOT NULL,
    visitor_id text COLLATE "C",
    name text COLLATE "C",
    channel text COLLATE "C" NOT NULL,
    source text COLLATE "C" NOT NULL,
    medium text COLLATE "C" NOT NULL,
    campaign text COLLATE "C",
    owner uuid,
    PRIMARY KEY (scope, touch_id)
);
CREATE INDEX offline_touches_by_owner ON state.offline_touches (owner, occurred_at) WHERE owner IS NOT NULL;
CREATE INDEX offline_touches_by_visitor ON state.offline_touches (visitor_id) WHERE visitor_id IS NOT NULL;
CREATE INDEX offline_touches_by_time ON state.offline_touches (occurred_at);

-- What can be credited: visits with a page, and offline touches, whose visitor is '' when they name none.
CREATE OR REPLACE VIEW state.touch AS
    SELECT visitor_id, touch_id, started_at AS occurred_at, last_at, hits, channel, source, medium, campaign, content, term,
           landing_page, referrer, click_ids, owner
    FROM state.visits WHERE landing_page IS NOT NULL
    UNION ALL
    SELECT coalesce(visitor_id, ''), touch_id, occurred_at, occurred_at, 0, channel, source, medium, campaign, NULL, NULL,
           NULL, NULL, NULL, owner
    FROM state.offline_touches;

-- Who was kept apart, and why.
CREATE VIEW state.apart AS
    SELECT visitor_id, event_id, occurred_at, type, kept_apart FROM state.hits h
    WHERE kept_apart IS NOT NULL AND NOT EXISTS (
            SELECT FROM (SELECT r.occurred_at, r.rank FROM state.hits r
                         WHERE r.visitor_id = h.visitor_id AND r.event_id = h.event_id OFFSET 0) w
            WHERE (w.occurred_at, w.rank) < (h.occurred_at, h.rank));
