-- What is read of the ledger's history: what moved between two instants, and why one deal's money went where it went.
-- Of identity only published views are named here.

-- name: settled_until
-- Up to when the ledger is complete: a correction that is under way is dated after its transaction began. Asked in a
-- transaction of its own, before the ledger is read: what ends in between can then be seen.
SELECT least(clock_timestamp(), min(xact_start)) FROM pg_stat_activity
WHERE datname = current_database() AND backend_xid IS NOT NULL;

-- name: totals_at_both
-- The report's total as it stood at $1 and at $2, in currency $5, under model $7, by $8. Not in it is money without a rate on
-- its day in time zone $6, nor that of entries older than the model, which have no credits under it; owners have all of theirs.
SELECT coalesce(sum(converted(entries.amount, factor)) FILTER (
           WHERE recorded_at <= $1 AND coalesce(superseded_at, 'infinity') > $1), 0) AS before,
       coalesce(sum(converted(entries.amount, factor)) FILTER (
           WHERE recorded_at <= $2 AND coalesce(superseded_at, 'infinity') > $2), 0) AS after
FROM entries
LEFT JOIN credits ON (credits.provider, credits.deal_id, credits.version, credits.model)
    = (entries.provider, entries.deal_id, entries.version, $7)
CROSS JOIN LATERAL conversion(currency, $5, day_of(closed_at, $6))
WHERE closed_at >= coalesce($3::timestamptz, '-infinity') AND closed_at < coalesce($4::timestamptz, 'infinity')
  AND ($8 = 'owner' OR credits.model IS NOT NULL);

-- name: receipts
-- What moved after $1 and up to $2 in the report of $3 to $4, in currency $5 of time zone $6, under model $7, by $8. A
-- correction is what the ledger closed and opened of one deal at one instant. `part` tells what a row adds up: 'all'
-- corrections, those of one cause, of one key, of a currency without a rate, or it is itself one of the $9 that moved most.
-- An entry that ended when it began never held.
WITH entry AS (
    SELECT recorded_at AS at, true AS opened, cause AS why, entries.* FROM entries
    WHERE recorded_at > $1 AND recorded_at <= $2
    UNION ALL
    SELECT superseded_at, false, superseded_cause, entries.* FROM entries
    WHERE superseded_at > $1 AND superseded_at <= $2
), side AS (
    SELECT entry.*, factor
    FROM entry LEFT JOIN LATERAL conversion(currency, $5, day_of(closed_at, $6)) ON true
    WHERE closed_at >= coalesce($3::timestamptz, '-infinity') AND closed_at < coalesce($4::timestamptz, 'infinity')
      AND coalesce(superseded_at, 'infinity') > recorded_at
), piece AS (
    SELECT at, opened, why, provider, deal_id, t.amount, CASE WHEN t.touch_id IS NULL THEN t.channel ELSE
               key_of($8, t.channel, t.source, t.medium, t.campaign, t.content, t.term, t.landing_page, t.referrer) END AS key
    FROM side
    JOIN credits USING (provider, deal_id, version)
    CROSS JOIN LATERAL unnest(
        side.touch_id, side.channel, side.source, side.medium, side.campaign, side.content, side.term,
        side.landing_page, side.referrer, converted(credits.amounts, factor)
    ) AS t (touch_id, channel, source, medium, campaign, content, term, landing_page, referrer, amount)
    WHERE $8 <> 'owner' AND credits.model = $7 AND factor IS NOT NULL
    UNION ALL
    SELECT at, opened, why, provider, deal_id, converted(amount, factor), coalesce(owner, '(not set)')
    FROM side
    WHERE $8 = 'owner' AND factor IS NOT NULL
), moved AS (
    SELECT at, provider, deal_id, key, max(why) FILTER (WHERE opened) AS why_opened, max(why) AS why_closed,
           coalesce(sum(amount) FILTER (WHERE NOT opened), 0) AS before,
           coalesce(sum(amount) FILTER (WHERE opened), 0) AS after
    FROM piece
    GROUP BY at, provider, deal_id, key
), correction AS (
    SELECT at, provider, deal_id, coalesce(max(why_opened), max(why_closed)) AS cause, sum(before) AS before,
           sum(after) AS after, sum(abs(after - before)) AS movement,
           array_agg(key ORDER BY abs(after - before) DESC, key COLLATE "C") FILTER (WHERE after <> before) AS keys,
           array_agg(after - before ORDER BY abs(after - before) DESC, key COLLATE "C") FILTER (WHERE after <> before)
               AS differences
    FROM moved
    GROUP BY at, provider, deal_id
)
SELECT 'all' AS part, NULL AS name, count(*) AS corrections, sum(before) AS before, sum(after) AS after,
       NULL::timestamptz AS at, NULL AS provider, NULL AS deal_id, NULL AS cause, NULL::text[] AS keys,
       NULL::numeric[] AS differences, NULL::numeric AS movement
FROM correction
UNION ALL
SELECT 'cause', cause, count(*), sum(before), sum(after), NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM correction GROUP BY cause
UNION ALL
SELECT 'key', key, count(*), sum(before), sum(after), NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM moved WHERE before <> after GROUP BY key
UNION ALL
SELECT 'no rate', currency, count(DISTINCT (at, provider, deal_id)), 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM side WHERE factor IS NULL GROUP BY currency
UNION ALL
(SELECT 'correction', NULL, 1, before, after, at, provider, deal_id, cause, keys, differences, movement
 FROM correction ORDER BY movement DESC, at, provider, deal_id LIMIT $9)
ORDER BY movement DESC NULLS LAST, at, provider, deal_id, name;

-- name: versions
-- What the CRM said of a deal, the newest $3 of it in the order in which versions follow each other; of records with one
-- event id one counts.
SELECT * FROM (
    SELECT e.event_id, e.updated_at, e.stage, e.amount, e.currency, e.created_at, e.closed_at, e.owner,
           ARRAY(SELECT value FROM lead_of WHERE identifier = ANY (e.contacts) ORDER BY value) AS contacts,
           NOT EXISTS (
               SELECT FROM deal_events w WHERE w.provider = e.provider AND w.event_id = e.event_id
                   AND (w.occurred_at, w.rank) < (e.occurred_at, e.rank)) AS counts, e.occurred_at, e.rank
    FROM deal_events e
    WHERE e.provider = $1 AND e.deal_id = $2
    ORDER BY e.updated_at DESC, e.event_id DESC, e.occurred_at DESC, e.rank DESC LIMIT $3
) AS newest
ORDER BY updated_at, event_id, occurred_at, rank;

-- name: people
-- The contacts of a deal, and each identifier of the lead that a contact is; null where identity does not know it yet.
SELECT contact.id AS contact, named.value, named.shared, named.lead, member.identifier, member.value AS member
FROM deals
CROSS JOIN LATERAL unnest(contacts) AS contact (id)
LEFT JOIN lead_of AS named ON named.identifier = contact.id
LEFT JOIN lead_of AS member ON member.lead = named.lead
WHERE provider = $1 AND deal_id = $2
ORDER BY named.value, contact.id, member.value;

-- name: entries
-- The newest $5 entries of a deal up to `as_of`, the newest first, each with its journey and what model $4 gave to it.
SELECT entries.*, credits.amounts
FROM entries
LEFT JOIN credits ON (credits.provider, credits.deal_id, credits.version, credits.model)
    = (entries.provider, entries.deal_id, entries.version, $4)
WHERE entries.provider = $1 AND entries.deal_id = $2 AND recorded_at <= coalesce($3::timestamptz, 'infinity')
ORDER BY entries.version DESC
LIMIT $5;

-- name: credits
-- What each model gave to the journey of one entry.
SELECT model, amounts, shares FROM credits WHERE provider = $1 AND deal_id = $2 AND version = $3;

-- name: owned_within
-- The touches of these identifiers from $2 to $3, whose each is now, and by which rule.
SELECT visitor_id, touch_id, occurred_at, owned_by, lead_of.lead, lead_of.value
FROM (
    SELECT visitor_id, touch_id, occurred_at, owned_by, owner FROM visit WHERE owner = ANY ($1::uuid[])
    UNION ALL
    SELECT coalesce(visitor_id, ''), touch_id, occurred_at, owned_by, owner FROM offline_touch
    WHERE owner = ANY ($1::uuid[])
) AS own
JOIN lead_of ON lead_of.identifier = own.owner
WHERE occurred_at BETWEEN $2 AND $3;

-- name: owned_outside
-- How many touches of these identifiers lie before $2, and how many after $3, with the nearest of each.
SELECT DISTINCT ON (is_before) is_before, count(*) OVER (PARTITION BY is_before) AS touches, occurred_at, channel, source,
       medium, landing_page
FROM (
    SELECT *, occurred_at < $2 AS is_before FROM touch
    WHERE owner = ANY ($1::uuid[]) AND (occurred_at < $2 OR occurred_at > $3)
) AS outside
ORDER BY is_before, CASE WHEN is_before THEN $2 - occurred_at ELSE occurred_at - $3 END, touch_id, visitor_id;

-- name: registered_at
-- When any of these identifiers first stood in a form or a call that identifies.
SELECT min(first_at) FROM registration WHERE identifier = ANY ($1::uuid[]);
