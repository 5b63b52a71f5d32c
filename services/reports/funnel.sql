-- How far the visitors of a period have come. Of identity only published views are named here.

-- name: first_visits
-- The visitors whose first visit fell in the period, by the $4 of that visit, its day, week or month ($5) in the zone $3, and
-- the lead that owns it. A visit counts when it has a page: one without came from nowhere.
SELECT coalesce(CASE $4 WHEN 'channel' THEN channel WHEN 'source' THEN source WHEN 'medium' THEN medium
           WHEN 'campaign' THEN campaign END, '(not set)') AS key,
       date_trunc($5, day_of(occurred_at, $3)::timestamp)::date AS cohort, lead, count(*) AS visitors,
       min(occurred_at) AS first_at
FROM visit AS first
LEFT JOIN lead_of ON lead_of.identifier = first.owner
WHERE landing_page IS NOT NULL
  AND occurred_at >= coalesce($1::timestamptz, '-infinity') AND occurred_at < coalesce($2::timestamptz, 'infinity')
  AND NOT EXISTS (
      SELECT FROM visit AS earlier
      WHERE earlier.visitor = first.visitor AND earlier.landing_page IS NOT NULL
        AND (earlier.occurred_at, earlier.touch_id) < (first.occurred_at, first.touch_id))
GROUP BY key, cohort, lead;

-- name: members
-- The identifiers of these leads.
SELECT lead, identifier, value, first_at FROM lead_of WHERE lead = ANY ($1::uuid[]);

-- name: deals
-- The deals that name any identifier of these leads, once for each lead. OFFSET keeps that a look-up by contact.
SELECT DISTINCT member.lead, d.provider, d.deal_id, d.stage, d.began_at, d.closed_at
FROM lead_of AS member CROSS JOIN LATERAL (
    SELECT provider, deal_id, stage, coalesce(created_at, closed_at, updated_at) AS began_at, closed_at
    FROM deals WHERE contacts @> ARRAY[member.identifier] AND stage <> 'deleted' OFFSET 0) AS d
WHERE member.lead = ANY ($1::uuid[]);

-- name: long_histories
-- Those of these leads whose timeline may have more than $2 entries; the versions of their deals count, though few of them are
-- entries.
SELECT member.lead
FROM lead_of AS member CROSS JOIN LATERAL (
    SELECT 1 AS entries
    UNION ALL
    SELECT hits + 1 FROM visit WHERE owner = member.identifier
    UNION ALL
    SELECT 1 FROM offline_touch WHERE owner = member.identifier
    UNION ALL
    SELECT 1 FROM said WHERE identifiers @> ARRAY[member.identifier]
    UNION ALL
    SELECT 1 FROM deals JOIN deal_events USING (provider, deal_id) WHERE deals.contacts @> ARRAY[member.identifier]
) AS part
WHERE member.lead = ANY ($1::uuid[])
GROUP BY member.lead
HAVING sum(entries) > $2;

-- name: moments
-- What the timelines of these leads have that a score may count, in the order of time: visits, hits, what was said and touched
-- outside of visits.
SELECT member.lead, part.*
FROM lead_of AS member CROSS JOIN LATERAL (
    SELECT occurred_at AS at, 'visit' AS kind, landing_page AS url, NULL AS name FROM visit WHERE owner = member.identifier
    UNION ALL
    SELECT occurred_at, type, url, name FROM step WHERE owner = member.identifier
    UNION ALL
    SELECT occurred_at, 'touch', NULL, name FROM offline_touch WHERE owner = member.identifier
    UNION ALL
    SELECT occurred_at, type, NULL, name FROM said
    WHERE identifiers @> ARRAY[member.identifier] AND named = member.identifier
        AND (visitor_id IS NULL OR type = 'email_open')
) AS part
WHERE member.lead = ANY ($1::uuid[])
ORDER BY part.at;
