-- Sales by whoever owns the deals. $1 and $2 are the period's ends. Of identity only the view `lead_of` is named here.

-- name: deals_by_owner
-- The deals of each owner that were won or lost in the period, and those that are open now and began before its end; different
-- leads of their contacts; the median days of 24 hours from creation to close of the won ones, where both are known. A deal
-- without a date of its creation begins when it closes, which tells nothing.
WITH deal AS (
    SELECT owner, stage, contacts, extract(epoch FROM closed_at - created_at)::double precision / 86400 AS days
    FROM deals
    WHERE stage = 'won'
      AND closed_at >= coalesce($1::timestamptz, '-infinity') AND closed_at < coalesce($2::timestamptz, 'infinity')
    UNION ALL
    SELECT owner, stage, contacts, NULL FROM deals
    WHERE stage = 'lost' AND coalesce(closed_at, updated_at) >= coalesce($1::timestamptz, '-infinity')
      AND coalesce(closed_at, updated_at) < coalesce($2::timestamptz, 'infinity')
    UNION ALL
    SELECT owner, stage, contacts, NULL FROM deals
    WHERE stage = 'open' AND coalesce(created_at, updated_at) < coalesce($2::timestamptz, 'infinity')
), piece AS (
    SELECT coalesce(owner, '(not set)') AS key, stage, CASE WHEN days > 0 THEN days END AS days, NULL::uuid AS lead FROM deal
    UNION ALL
    SELECT coalesce(owner, '(not set)'), NULL, NULL, lead_of.lead
    FROM deal CROSS JOIN LATERAL unnest(contacts) AS contact JOIN lead_of ON lead_of.identifier = contact
)
SELECT key, count(*) FILTER (WHERE stage = 'open') AS open, count(*) FILTER (WHERE stage = 'won') AS won,
       count(*) FILTER (WHERE stage = 'lost') AS lost, count(DISTINCT lead) AS leads,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY days) AS median_days, grouping(key) AS is_total
FROM piece
GROUP BY GROUPING SETS ((key), ())
ORDER BY is_total, key;

-- name: money_by_owner
-- What each owner's deals of the period won in the currency $3, by the channel that model $5 credits; $4 is the zone in which a
-- deal's closing has its day of rates.
SELECT coalesce(entries.owner, '(not set)') AS key, t.channel, sum(t.amount) AS amount
FROM entries
JOIN credits USING (provider, deal_id, version)
CROSS JOIN LATERAL conversion(entries.currency, $3, day_of(entries.closed_at, $4)) AS c (factor)
CROSS JOIN LATERAL unnest(entries.channel, converted(credits.amounts, c.factor)) AS t (channel, amount)
WHERE entries.superseded_at IS NULL AND credits.model = $5
  AND entries.closed_at >= coalesce($1::timestamptz, '-infinity')
  AND entries.closed_at < coalesce($2::timestamptz, 'infinity')
GROUP BY 1, 2;
