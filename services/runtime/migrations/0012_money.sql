-- Money that is no deal's: what advertising cost, and exchange rates. Statements too, though about nobody: one event_id counts
-- once among them all. Present state by views; which event is the newest is asked when it is read.

ALTER TABLE state.statements
    ADD COLUMN day date,                       -- of spend and rates
    ADD COLUMN amount bigint,                  -- of spend: minor units of currency
    ADD COLUMN currency text COLLATE "C",      -- of spend; of a rate the one that is turned into another
    ADD COLUMN to_currency text COLLATE "C",   -- of a rate
    ADD COLUMN factor numeric;                 -- of a rate: minor units of to_currency for one of currency
CREATE INDEX statements_of_spend ON state.statements (day) WHERE type = 'spend';
CREATE INDEX statements_of_rates ON state.statements (currency, to_currency, day DESC, occurred_at DESC, event_id DESC, rank)
    WHERE type = 'rate';

-- As before, with the new columns; OFFSET keeps both inner queries looks by key, so that who reads in the order of an index and
-- stops soon has not all of them compared first.
CREATE OR REPLACE VIEW state.statement AS
    SELECT * FROM state.statements s
    WHERE NOT EXISTS (
            SELECT FROM (SELECT r.occurred_at, r.rank FROM state.statements r
                         WHERE r.scope = s.scope AND r.event_id = s.event_id OFFSET 0) w
            WHERE (w.occurred_at, w.rank) < (s.occurred_at, s.rank))
        AND NOT EXISTS (
            SELECT FROM (SELECT r.occurred_at, r.rank FROM state.visitors v
                         JOIN state.hits r ON state.hit_key(r.visitor, r.event_id) = state.hit_key(v.number, s.event_id)
                            AND r.visitor IS NOT DISTINCT FROM v.number AND r.event_id = s.event_id
                         WHERE v.visitor_id = s.visitor_id OFFSET 0) w
            WHERE (w.occurred_at, w.rank) < (s.occurred_at, s.rank));

-- What each source cost on each day, by the newest event that says so; one that says 0 takes it back.
CREATE VIEW state.spend AS
    SELECT * FROM (
        SELECT DISTINCT ON (day, source, medium, campaign) day, channel, source, medium, campaign, amount, currency
        FROM state.statement WHERE type = 'spend' AND day IS NOT NULL
        ORDER BY day, source, medium, campaign, occurred_at DESC, event_id DESC, rank) AS newest
    WHERE amount > 0;

-- The rates of each day, by the newest event of each. The order is the index's, so that the last before a day is one look.
CREATE VIEW state.rate AS
    SELECT DISTINCT ON (currency, to_currency, day) currency, to_currency, day, factor
    FROM state.statement WHERE type = 'rate' AND day IS NOT NULL
    ORDER BY currency, to_currency, day DESC, occurred_at DESC, event_id DESC, rank;

-- How money is converted. A report of money in the currency `wanted` asks
--     CROSS JOIN LATERAL conversion(entries.currency, wanted, day_of(entries.closed_at, zone)) AS c (factor)
-- for each deal, `zone` being the rules' time zone. No row: no rate of that pair, neither of the day nor before it; such money
-- is named in the answer and added to nothing. Then `converted(entries.amount, c.factor)` is the deal's amount in minor units
-- of `wanted`, and `converted(credits.amounts, c.factor)` are its credits, which sum to it.

-- The day of an instant in a time zone. Of the first and last ones that there are it would be outside of the years 1 to 9999,
-- which many programs cannot hold: the nearest one within them then.
CREATE FUNCTION state.day_of(at timestamptz, zone text) RETURNS date LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN greatest(date '0001-01-01', least(date '9999-12-31', (at AT TIME ZONE zone)::date));

-- Minor units of `wanted` for one of `held`, by the newest rate of the pair of this day or before it: no inverse rate, none
-- over a third currency. A function of rows, because Postgres plans such a one together with the query that calls it.
CREATE FUNCTION state.conversion(held text, wanted text, on_day date) RETURNS TABLE (factor numeric)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT 1::numeric WHERE held = wanted
    UNION ALL
    (SELECT r.factor FROM state.rate r
     WHERE held <> wanted AND r.currency = held AND r.to_currency = wanted AND r.day <= on_day
     ORDER BY r.day DESC LIMIT 1);
END;

-- Rounded half even to whole minor units; for amounts from 0 on.
CREATE FUNCTION state.converted(amount numeric, factor numeric) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN amount * factor % 1 = 0.5 THEN 2 * round(amount * factor / 2) ELSE round(amount * factor) END;

-- Credits: each the difference between what is converted up to it and what is converted before it. None is negative, and they
-- sum to the converted sum.
CREATE FUNCTION state.converted(amounts bigint[], factor numeric) RETURNS numeric[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN factor = 1 THEN amounts::numeric[] ELSE (
        SELECT array_agg(state.converted(through, factor) - state.converted(through - part, factor) ORDER BY place)
        FROM (SELECT place, part, sum(part) OVER (ORDER BY place) AS through
              FROM unnest(amounts) WITH ORDINALITY AS given (part, place)) AS summed) END;
