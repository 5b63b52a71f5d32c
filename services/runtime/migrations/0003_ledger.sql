-- Deals and the ledger of credits. Facts: deal_events. Derived: deals, deal_contacts. Append-only: entries, credits.

-- Every record of every version of a deal. Of those with one event_id the least (occurred_at, rank) counts.
CREATE TABLE state.deal_events (
    provider text COLLATE "C" NOT NULL,
    event_id text COLLATE "C" NOT NULL,
    occurred_at timestamptz NOT NULL,
    rank uuid NOT NULL,
    deal_id text COLLATE "C" NOT NULL,
    stage text COLLATE "C" NOT NULL,
    amount bigint NOT NULL,                  -- minor units of currency
    currency text COLLATE "C",
    created_at timestamptz,
    closed_at timestamptz,
    owner text COLLATE "C",
    contacts uuid[] NOT NULL,                -- identifiers
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (provider, event_id, occurred_at, rank)
);
CREATE INDEX deal_events_by_deal ON state.deal_events (provider, deal_id);
CREATE INDEX deal_events_by_contact ON state.deal_events USING gin (contacts) WHERE stage = 'won';

-- Each deal as its newest version by (updated_at, event_id) has it; `stage` is null until one is read.
CREATE TABLE state.deals (
    provider text COLLATE "C" NOT NULL,
    deal_id text COLLATE "C" NOT NULL,
    stage text COLLATE "C",
    amount bigint,
    currency text COLLATE "C",
    created_at timestamptz,
    closed_at timestamptz,
    owner text COLLATE "C",
    contacts uuid[] NOT NULL DEFAULT '{}',
    updated_at timestamptz,
    PRIMARY KEY (provider, deal_id)
) WITH (fillfactor = 85);
CREATE INDEX deals_won ON state.deals (closed_at) WHERE stage = 'won';

CREATE FUNCTION state.total(amounts bigint[]) RETURNS numeric
    LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT RETURN (SELECT sum(a) FROM unnest(amounts) AS t(a));

-- The journey that a won deal was credited to, as it stood. The current entry of a deal has no superseded_at.
CREATE TABLE state.entries (
    provider text COLLATE "C" NOT NULL,
    deal_id text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    amount bigint NOT NULL CHECK (amount >= 0),
    currency text COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL,
    closed_at timestamptz NOT NULL,
    owner text COLLATE "C",
    touches integer NOT NULL CHECK (touches > 0),
    visitor_id text[] COLLATE "C" NOT NULL,  -- null in the one touch of an unattributed deal, like touch_id
    touch_id text[] COLLATE "C" NOT NULL,
    occurred_at timestamptz[] NOT NULL,
    channel text[] COLLATE "C" NOT NULL,
    source text[] COLLATE "C" NOT NULL,
    medium text[] COLLATE "C" NOT NULL,
    campaign text[] COLLATE "C" NOT NULL,
    content text[] COLLATE "C" NOT NULL,
    term text[] COLLATE "C" NOT NULL,
    landing_page text[] COLLATE "C" NOT NULL,
    referrer text[] COLLATE "C" NOT NULL,
    cause text COLLATE "C" NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    superseded_at timestamptz,
    superseded_cause text COLLATE "C",
    PRIMARY KEY (provider, deal_id, version),
    UNIQUE (provider, deal_id, version, amount, touches),
    CHECK ((superseded_at IS NULL) = (superseded_cause IS NULL)),
    CHECK (touches = ALL (ARRAY[
        cardinality(visitor_id), cardinality(touch_id), cardinality(occurred_at), cardinality(channel), cardinality(source),
        cardinality(medium), cardinality(campaign), cardinality(content), cardinality(term), cardinality(landing_page),
        cardinality(referrer)]))
) WITH (fillfactor = 90);
CREATE UNIQUE INDEX entries_current ON state.entries (provider, deal_id) WHERE superseded_at IS NULL;
CREATE INDEX entries_by_close ON state.entries (closed_at) WHERE superseded_at IS NULL;

-- One row a model: the amounts in the order of the entry's touches. That they sum to the deal's amount is a constraint.
CREATE TABLE state.credits (
    provider text COLLATE "C" NOT NULL,
    deal_id text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    model text COLLATE "C" NOT NULL,
    amount bigint NOT NULL,
    touches integer NOT NULL,
    amounts bigint[] NOT NULL,
    shares double precision[] NOT NULL,
    PRIMARY KEY (provider, deal_id, version, model),
    FOREIGN KEY (provider, deal_id, version, amount, touches)
        REFERENCES state.entries (provider, deal_id, version, amount, touches),
    CONSTRAINT credits_sum_to_the_amount CHECK (state.total(amounts) = amount),
    CONSTRAINT no_credit_is_negative CHECK (0 <= ALL (amounts)),
    CONSTRAINT one_credit_a_touch CHECK (cardinality(amounts) = touches AND cardinality(shares) = touches),
    CONSTRAINT no_credit_is_missing CHECK (
        array_ndims(amounts) = 1 AND array_position(amounts, NULL) IS NULL
        AND array_ndims(shares) = 1 AND array_position(shares, NULL) IS NULL)
);
