-- Identity. Facts: identifiers, pairs, hits, carriers. Derived: identifiers.lead and .shared, visits.

-- Who is known. `value` is personal; everything else names people by `id`, its keyed hash.
CREATE TABLE state.identifiers (
    id uuid PRIMARY KEY,
    value text COLLATE "C" NOT NULL,
    first_at timestamptz NOT NULL,
    lead uuid NOT NULL,                      -- derived: the id of the component's earliest identifier
    shared boolean NOT NULL DEFAULT false,   -- derived: seen with too many people to name one
    settled boolean NOT NULL DEFAULT false   -- whether `lead` takes this row's facts into account
) WITH (fillfactor = 85);
CREATE INDEX identifiers_by_lead ON state.identifiers (lead);

-- Identifiers that one event carried together, the lesser id first.
CREATE TABLE state.pairs (
    a uuid NOT NULL,
    b uuid NOT NULL,
    settled boolean NOT NULL DEFAULT false,  -- whether the leads take this pair into account
    PRIMARY KEY (a, b),
    CHECK (a < b)
) WITH (fillfactor = 85);
CREATE INDEX pairs_by_b ON state.pairs (b, a);

-- One row a visitor, to be locked while its visits are folded.
CREATE TABLE state.visitors (visitor_id text COLLATE "C" PRIMARY KEY);

-- Every record of every hit, and of the visitor's other events, which share its event ids. Of those with one event_id the
-- least (occurred_at, rank) counts; readers leave out the rest.
CREATE TABLE state.hits (
    visitor_id text COLLATE "C" NOT NULL,
    event_id text COLLATE "C" NOT NULL,
    occurred_at timestamptz NOT NULL,
    rank uuid NOT NULL,
    type text COLLATE "C" NOT NULL,
    internal boolean NOT NULL,               -- the referrer is the site's own
    only_referrer boolean NOT NULL,          -- the source stands in the referrer alone
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
    PRIMARY KEY (visitor_id, event_id, occurred_at, rank)
);
CREATE INDEX hits_in_order ON state.hits (visitor_id, occurred_at, event_id);

-- Which visitors carry an identifier, so that a change of the identifier finds them.
CREATE TABLE state.carriers (
    identifier uuid NOT NULL,
    visitor_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (identifier, visitor_id)
);
CREATE INDEX carriers_by_visitor ON state.carriers (visitor_id, identifier);

CREATE TABLE state.visits (
    visitor_id text COLLATE "C" NOT NULL,
    started_at timestamptz NOT NULL,
    touch_id text COLLATE "C" NOT NULL,      -- the event_id of the first hit
    last_at timestamptz NOT NULL,            -- the last hit
    hits integer NOT NULL,
    channel text COLLATE "C" NOT NULL,
    source text COLLATE "C" NOT NULL,
    medium text COLLATE "C" NOT NULL,
    campaign text COLLATE "C",
    content text COLLATE "C",
    term text COLLATE "C",
    running jsonb,                           -- the source that new ones are compared with, where it is another: a cut visit's
    landing_page text COLLATE "C",           -- the first url; a visit without one is no touch
    referrer text COLLATE "C",               -- of the first hit
    click_ids jsonb,
    identified uuid,                         -- the identifier that named somebody in this visit
    owner uuid,                              -- whose visit it is, as an identifier; the lead is looked up
    PRIMARY KEY (visitor_id, started_at, touch_id)
) WITH (fillfactor = 85);
CREATE INDEX visits_by_owner ON state.visits (owner, started_at) WHERE owner IS NOT NULL;
CREATE INDEX visits_identified ON state.visits (visitor_id, started_at, touch_id) WHERE identified IS NOT NULL;
CREATE INDEX visits_by_time ON state.visits (started_at) WHERE landing_page IS NOT NULL;

-- What identity publishes: who is who, and what can be credited. Nobody else's queries name its tables.
CREATE VIEW state.lead_of AS
    SELECT id AS identifier, value, first_at, lead FROM state.identifiers;

CREATE VIEW state.touch AS
    SELECT visitor_id, touch_id, started_at AS occurred_at, last_at, hits, channel, source, medium, campaign, content, term,
           landing_page, referrer, click_ids, owner
    FROM state.visits WHERE landing_page IS NOT NULL;
