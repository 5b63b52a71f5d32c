-- What the long ledger asks of a ledger. `told` has what the CRM had said of each deal, and from when on.

-- name: make_told
-- What a deal was by what had been read of it, from each instant on.
CREATE UNLOGGED TABLE IF NOT EXISTS told (
    deal_id text COLLATE "C" NOT NULL, at timestamptz NOT NULL, is_won boolean NOT NULL, amount bigint, currency text);
TRUNCATE told;

-- name: now
-- The database's time.
SELECT clock_timestamp();

-- name: corrected_since
-- The instants at which the ledger was corrected since $1.
SELECT recorded_at AS at FROM entries WHERE recorded_at > $1 UNION SELECT superseded_at FROM entries WHERE superseded_at > $1;

-- name: tell
-- From $1 on these deals are so.
INSERT INTO told
SELECT deal_id, $1, is_won, amount, currency
FROM unnest($2::text[], $3::boolean[], $4::bigint[], $5::text[]) AS t (deal_id, is_won, amount, currency);

-- name: look_at_every_instant
-- Every deal at each instant at which it or the ledger changed, between any two of them, before the first and after the
-- last: one entry while it is won and none else, of its amount and currency, and with $1 models that each sum to it.
WITH summed AS (
    SELECT provider, deal_id, version, model, sum(amount) AS total, min(amount) AS least
    FROM (SELECT provider, deal_id, version, model, unnest(amounts) AS amount FROM credits) AS part
    GROUP BY provider, deal_id, version, model
), entry AS (
    SELECT e.deal_id, e.recorded_at AS begins_at, coalesce(e.superseded_at, 'infinity') AS ends_at, e.amount, e.currency,
           count(*) AS models, min(least) AS least, min(total) AS smallest, max(total) AS largest
    FROM entries e LEFT JOIN summed USING (provider, deal_id, version)
    GROUP BY e.provider, e.deal_id, e.version
), change AS (
    SELECT deal_id, begins_at AS at FROM entry
    UNION SELECT deal_id, ends_at FROM entry WHERE ends_at < 'infinity'
    UNION SELECT deal_id, at FROM told
), instant AS (
    SELECT deal_id, at FROM change
    UNION SELECT deal_id, at + coalesce(lead(at) OVER (PARTITION BY deal_id ORDER BY at) - at, '1 day') / 2 FROM change
    UNION SELECT deal_id, min(at) - interval '1 day' FROM change GROUP BY deal_id
), said AS (
    SELECT *, coalesce(lead(at) OVER (PARTITION BY deal_id ORDER BY at), 'infinity') AS until FROM told
), seen AS (
    SELECT i.deal_id, i.at, count(e.deal_id) AS entries, coalesce(s.is_won, false) AS is_won,
           coalesce(bool_and((e.amount, e.currency) = (s.amount, s.currency) AND e.models = $1 AND e.least >= 0), true) AS fits,
           greatest(max(e.largest) - s.amount, s.amount - min(e.smallest), 0) AS drift
    FROM instant i
    LEFT JOIN said s ON s.deal_id = i.deal_id AND s.at <= i.at AND i.at < s.until
    LEFT JOIN entry e ON e.deal_id = i.deal_id AND e.begins_at <= i.at AND i.at < e.ends_at
    GROUP BY i.deal_id, i.at, s.is_won, s.amount
)
SELECT count(*) AS instants, sum(drift) AS drift,
       (array_agg(format('%s at %s: %s entries, drift %s', deal_id, at, entries, drift) ORDER BY at)
        FILTER (WHERE entries <> is_won::integer OR NOT fits OR drift > 0))[:5] AS wrong
FROM seen;

-- name: count_entries
-- How many entries there are, current or not.
SELECT count(*) FROM entries;

-- name: credits_now
-- What the deals with such ids are credited now, a row a model.
SELECT e.deal_id, c.model, e.touch_id, c.amounts
FROM entries e JOIN credits c USING (provider, deal_id, version)
WHERE e.superseded_at IS NULL AND e.deal_id LIKE $1 || '%';
